-- Since when this platform has listened: its first batch. Two index look-ups a partition.
SELECT min(first_row.written_at)
FROM ops.offsets AS o
CROSS JOIN LATERAL (
    SELECT written_at
    FROM ops.ledger AS l
    WHERE l.topic = o.topic AND l.kafka_partition = o.kafka_partition
    ORDER BY from_offset
    LIMIT 1
) AS first_row;
