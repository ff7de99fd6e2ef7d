-- What the archive has of each hour of a day, and of which chunks that is.
INSERT INTO ops.hours AS h (hour, archived_at, archive_rows, archive_checksum, archived_chunk_checksum)
SELECT hour, now(), archive_rows, archive_checksum, archived_chunk_checksum
FROM unnest(%(hours)s::timestamptz[], %(rows)s::bigint[], %(checksums)s::bigint[], %(chunk_checksums)s::bigint[]) AS n (
    hour, archive_rows, archive_checksum, archived_chunk_checksum
)
ON CONFLICT (hour) DO UPDATE SET
    archived_at = excluded.archived_at,
    archive_rows = excluded.archive_rows,
    archive_checksum = excluded.archive_checksum,
    archived_chunk_checksum = excluded.archived_chunk_checksum;
