-- The gaps that touch a window of time, the newest first; one that has no end yet goes on.
SELECT hop, source, from_time, to_time, reason, filled_at
FROM analytics.gaps
WHERE from_time < %(to_time)s AND (to_time IS NULL OR to_time >= %(from_time)s)
ORDER BY from_time DESC, gap_id DESC
LIMIT 1000;
