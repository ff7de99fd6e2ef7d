-- Moves the offsets of a batch, each only from where we believe it to be: fewer rows than asked mean that another
-- process writes these partitions now.
UPDATE ops.offsets AS o
SET next_offset = moved.to_offset
FROM unnest(%(partitions)s::integer[], %(from_offsets)s::bigint[], %(to_offsets)s::bigint[])
    AS moved (kafka_partition, from_offset, to_offset)
WHERE o.topic = %(topic)s AND o.kafka_partition = moved.kafka_partition AND o.next_offset = moved.from_offset;
