-- Where history stands in these partitions; one that it has never read starts at its log's first offset.
WITH assigned AS (
    SELECT * FROM unnest(%(partitions)s::integer[], %(first_offsets)s::bigint[]) AS a (kafka_partition, first_offset)
),
added AS (
    INSERT INTO ops.offsets (topic, kafka_partition, next_offset)
    SELECT %(topic)s, kafka_partition, first_offset FROM assigned
    ON CONFLICT (topic, kafka_partition) DO NOTHING
    RETURNING kafka_partition, next_offset
)
SELECT kafka_partition, next_offset FROM added
UNION ALL
SELECT o.kafka_partition, o.next_offset
FROM ops.offsets AS o
INNER JOIN assigned USING (kafka_partition)
WHERE o.topic = %(topic)s;
