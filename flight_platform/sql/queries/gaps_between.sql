-- Losses of data that touch a stretch of time, oldest first.
SELECT gap_id, hop, source, from_time, to_time, reason, filled_at
FROM ops.gaps
WHERE from_time < %(to_time)s AND coalesce(to_time, 'infinity') > %(from_time)s
ORDER BY from_time, gap_id;
