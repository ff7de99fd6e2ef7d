-- The trouble is still there: said at most every few seconds, so that an open incident does not cost a row a look.
UPDATE ops.incidents
SET seen_at = clock_timestamp()
WHERE key = ANY(%(keys)s) AND closed_at IS NULL AND seen_at < clock_timestamp() - interval '2 seconds';
