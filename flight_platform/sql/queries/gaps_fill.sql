-- Marks gaps of a source within a stretch as filled, where history has positions of that source in them. A gap that is
-- not known to be one source's (records expired in Kafka) is filled by any.
UPDATE ops.gaps AS gap
SET filled_at = clock_timestamp()
WHERE gap.source IN (%(source)s, '')
    AND gap.filled_at IS NULL
    AND gap.from_time >= %(begins)s
    AND gap.to_time <= %(ends)s
    AND EXISTS (
        SELECT FROM analytics.positions AS p
        WHERE p.source = %(source)s AND p.time > gap.from_time AND p.time < gap.to_time
            AND p.time > %(begins)s AND p.time < %(ends)s
    )
RETURNING gap.gap_id;
