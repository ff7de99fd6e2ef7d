-- The checksums of an hour's chunks, and of those that its archive was written from, before some positions go.
SELECT coalesce(chunk_checksum, 0), archived_chunk_checksum
FROM ops.hours
WHERE hour = %(hour)s
FOR UPDATE;
