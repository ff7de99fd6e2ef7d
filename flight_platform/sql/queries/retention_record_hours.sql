-- The hours of a day are in the archive alone.
UPDATE ops.hours
SET dropped_at = coalesce(dropped_at, now()), chunks = 0, chunk_rows = 0, chunk_checksum = 0, archived_chunk_checksum = 0
WHERE hour >= %(start)s AND hour < %(start)s + interval '24 hours' AND archive_rows IS NOT NULL;
