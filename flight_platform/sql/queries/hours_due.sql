-- Closed hours that are to be looked at, and why, oldest first. Candidates are the hours since this platform listens (one of
-- which nothing came is missing, and somebody must say so), and earlier ones with data. What was dropped is in the archive.
WITH candidates AS (
    SELECT hour FROM generate_series(%(since)s::timestamptz, %(last)s::timestamptz, interval '1 hour') AS hour
    UNION
    SELECT hour
    FROM unnest(%(leaves)s::timestamptz[]) AS hour
    WHERE EXISTS (
        SELECT FROM history.positions AS p WHERE p.time >= hour AND p.time < hour + interval '1 hour'
    )
    UNION
    SELECT hour FROM ops.hours
),
-- Only hours that were given rows after they were judged: nearly always none.
given AS (
    SELECT c.hour, sum(c.rows) - coalesce((SELECT e.rows FROM ops.hour_erasures AS e WHERE e.hour = c.hour), 0) AS rows
    FROM ops.hour_counts AS c
    WHERE c.hour IN (
        SELECT later.hour
        FROM ops.hour_counts AS later
        INNER JOIN ops.hours AS h USING (hour)
        WHERE later.written_at > h.checked_at
    )
    GROUP BY c.hour
)
SELECT
    candidates.hour,
    CASE
        WHEN h.checked_at IS NULL OR candidates.hour <> ALL (%(known)s::timestamptz[]) THEN 'new'
        WHEN given.rows <> h.rows
            AND (
                abs(given.rows - h.rows) > h.rows * %(grown_share)s::double precision
                OR h.checked_at < %(now)s::timestamptz - %(grown_s)s * interval '1 second'
            ) THEN 'grown'
        WHEN NOT h.passed
            AND h.accepted_at IS NULL
            AND h.checked_at < %(now)s::timestamptz - %(red_s)s * interval '1 second'
            AND candidates.hour > %(now)s::timestamptz - %(red_for_s)s * interval '1 second' THEN 'red'
    END AS why
FROM candidates
LEFT JOIN ops.hours AS h USING (hour)
LEFT JOIN given USING (hour)
WHERE candidates.hour >= %(first)s::timestamptz
    AND candidates.hour <= %(last)s::timestamptz
    AND h.dropped_at IS NULL
ORDER BY candidates.hour;
