-- What a batch gave each hour; stands in the transaction that writes the rows.
INSERT INTO ops.hour_counts AS c (hour, topic, kafka_partition, rows)
SELECT to_timestamp(hour_number * 3600.0::double precision), %(topic)s, kafka_partition, rows
FROM unnest(%(partitions)s::integer[], %(hours)s::bigint[], %(rows)s::bigint[])
    AS added (kafka_partition, hour_number, rows)
ON CONFLICT (hour, topic, kafka_partition) DO UPDATE SET
    rows = c.rows + excluded.rows,
    written_at = excluded.written_at;
