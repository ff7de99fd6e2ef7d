-- The hours of a stretch: how each is stored, its positions and size. Raw positions are as the server estimates them; of
-- an hour in chunks that estimate tells what was there before for a while, so what waits to be merged is not counted.
SELECT
    hour, state, coalesce(chunk_rows, estimated_rows, 0) AS positions, archive_rows, bytes, passed,
    compacted_at, archived_at, gap_s
FROM analytics.coverage
WHERE hour >= %(from_time)s AND hour < %(to_time)s
ORDER BY hour;
