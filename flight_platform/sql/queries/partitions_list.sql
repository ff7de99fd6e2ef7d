-- The hours that have a leaf, oldest first.
SELECT to_timestamp(right(leaf.relname, 10) || '+00', 'YYYYMMDDHH24TZH') AS hour
FROM pg_inherits
INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
WHERE pg_inherits.inhparent = 'history.positions'::regclass AND leaf.relname ~ '^positions_[0-9]{10}$'
ORDER BY hour;
