-- What a batch wrote, one row a partition; stands in the transaction that writes the rows.
INSERT INTO ops.ledger (
    topic, kafka_partition, from_offset, to_offset, records, rows, repeats, quarantined, withheld, late,
    first_time, last_time
)
SELECT
    %(topic)s, kafka_partition, from_offset, to_offset, records, rows, repeats, quarantined, withheld, late,
    to_timestamp(first_ms / 1000.0::double precision), to_timestamp(last_ms / 1000.0::double precision)
FROM unnest(
    %(partitions)s::integer[], %(from_offsets)s::bigint[], %(to_offsets)s::bigint[], %(records)s::integer[],
    %(rows)s::integer[], %(repeats)s::integer[], %(quarantined)s::integer[], %(withheld)s::integer[],
    %(late)s::integer[], %(first_ms)s::bigint[], %(last_ms)s::bigint[]
) AS l (
    kafka_partition, from_offset, to_offset, records, rows, repeats, quarantined, withheld, late, first_ms, last_ms
);
