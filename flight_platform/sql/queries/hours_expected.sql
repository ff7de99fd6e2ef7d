-- Which of these hours should hold data: those in which the platform listened already, those that were given rows, and
-- those with a leaf that holds some. Each probe is pruned to one leaf.
SELECT hour
FROM unnest(%(hours)s::timestamptz[]) AS hour
WHERE hour + interval '1 hour' > (
        SELECT min(first_row.written_at)
        FROM ops.offsets AS o
        CROSS JOIN LATERAL (
            SELECT written_at
            FROM ops.ledger AS l
            WHERE l.topic = o.topic AND l.kafka_partition = o.kafka_partition
            ORDER BY from_offset
            LIMIT 1
        ) AS first_row
    )
    OR EXISTS (SELECT FROM ops.hour_counts AS c WHERE c.hour = hour.hour)
    OR EXISTS (
        SELECT FROM history.positions AS p WHERE p.time >= hour.hour AND p.time < hour.hour + interval '1 hour'
    )
ORDER BY hour;
