-- The hours of a stretch: how each is stored, its positions (raw ones as the server estimates them) and size.
SELECT
    hour, state, coalesce(chunk_rows, 0) + coalesce(estimated_rows, 0) AS positions, archive_rows, bytes, passed,
    compacted_at, archived_at, gap_s
FROM analytics.coverage
WHERE hour >= %(from_time)s AND hour < %(to_time)s
ORDER BY hour;
