-- The closed hours of a stretch that may be compacted and may have something to compact: with a raw leaf, judged and
-- passed or accepted, and not compacted or merged since `settled`. The caller looks which of them have rows.
SELECT hour
FROM (
    SELECT to_timestamp(right(leaf.relname, 10) || '+00', 'YYYYMMDDHH24TZH') AS hour
    FROM pg_inherits
    INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = 'history.positions'::regclass AND leaf.relname ~ '^positions_[0-9]{10}$'
) AS leaves
INNER JOIN ops.hours USING (hour)
WHERE hour >= %(from_hour)s
    AND hour < %(to_hour)s
    AND (passed OR accepted_at IS NOT NULL)
    AND coalesce(greatest(compacted_at, merged_at) < %(settled)s, true)
ORDER BY hour;
