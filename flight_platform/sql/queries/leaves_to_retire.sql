-- The hours before a moment whose leaf may be dropped once it is empty: those that were judged or compacted.
SELECT hour
FROM (
    SELECT to_timestamp(right(leaf.relname, 10) || '+00', 'YYYYMMDDHH24TZH') AS hour
    FROM pg_inherits
    INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = 'history.positions'::regclass AND leaf.relname ~ '^positions_[0-9]{10}$'
) AS leaves
INNER JOIN ops.hours USING (hour)
WHERE hour < %(before)s AND (checked_at IS NOT NULL OR compacted_at IS NOT NULL)
ORDER BY hour;
