-- The hours of a stretch that left the database.
SELECT hour
FROM analytics.coverage
WHERE state = 'archive' AND hour > %(from_time)s AND hour < %(to_time)s
ORDER BY hour;
