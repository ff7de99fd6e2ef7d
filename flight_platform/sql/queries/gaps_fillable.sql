-- Gaps that have ended, are not filled and belong to one of these sources, oldest first.
SELECT gap_id, source, from_time, to_time
FROM ops.gaps
WHERE source = ANY(%(sources)s) AND filled_at IS NULL AND to_time > from_time
ORDER BY from_time, gap_id
LIMIT 20;
