-- How far the hours of a day have come, as archive and retention must know it. The last column: whether the archive has
-- what is in chunks now.
SELECT
    hour, coalesce(chunk_rows, 0), coalesce(chunk_checksum, 0), archive_rows, archive_checksum,
    dropped_at IS NOT NULL,
    coalesce(chunk_checksum IN (archived_chunk_checksum, archive_checksum), false)
FROM ops.hours
WHERE hour >= %(start)s AND hour < %(start)s + interval '24 hours'
ORDER BY hour;
