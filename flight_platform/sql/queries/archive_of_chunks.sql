-- The hours of a day that the archive has, with the checksum of the chunks that they were written from.
SELECT hour, coalesce(archived_chunk_checksum, 0)
FROM ops.hours
WHERE hour >= %(start)s AND hour < %(start)s + interval '24 hours' AND archive_rows IS NOT NULL;
