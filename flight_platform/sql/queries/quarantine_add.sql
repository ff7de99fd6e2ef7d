-- Records that history cannot take, whole, with the reason; stands in the transaction that passes them over.
INSERT INTO ops.quarantine (topic, kafka_partition, kafka_offset, reason, detail, record)
SELECT %(topic)s, kafka_partition, kafka_offset, reason, detail, record
FROM unnest(
    %(partitions)s::integer[], %(offsets)s::bigint[], %(reasons)s::text[], %(details)s::text[], %(records)s::bytea[]
) AS q (kafka_partition, kafka_offset, reason, detail, record);
