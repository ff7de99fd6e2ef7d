-- The days of a stretch that are not in the archive as they are in the database: they have chunks that it does not have.
-- That an hour is neither compacted nor empty is found by who archives the day.
SELECT date_bin(interval '1 day', hour, timestamptz 'epoch') AS start
FROM ops.hours
WHERE hour >= %(from_time)s AND hour < %(to_time)s AND chunk_rows > 0
GROUP BY start
HAVING NOT bool_and(coalesce(chunk_checksum IN (archived_chunk_checksum, archive_checksum), false))
ORDER BY start;
