-- The days that ended before a moment and are in the archive, but have chunks in the database still; not those of which
-- somebody has restored something since `restored_since`: he is working with it.
SELECT a.day
FROM ops.archive AS a
WHERE a.day < %(before)s
    AND EXISTS (
        SELECT FROM ops.hours AS h
        WHERE h.hour >= a.day::timestamp AT TIME ZONE 'UTC'
            AND h.hour < (a.day + 1)::timestamp AT TIME ZONE 'UTC'
            AND h.chunk_rows > 0
    )
    AND NOT EXISTS (
        SELECT FROM ops.hours AS h
        WHERE h.hour >= a.day::timestamp AT TIME ZONE 'UTC'
            AND h.hour < (a.day + 1)::timestamp AT TIME ZONE 'UTC'
            AND h.restored_at > %(restored_since)s
    )
ORDER BY a.day;
