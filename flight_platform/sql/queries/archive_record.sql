-- A day is in the archive. What was dropped stays so: the file has it, with what came later.
INSERT INTO ops.archive AS a (day, path, rows, checksum, bytes, archived_at)
VALUES (%(day)s, %(path)s, %(rows)s, %(checksum)s, %(bytes)s, now())
ON CONFLICT (day) DO UPDATE SET
    path = excluded.path,
    rows = excluded.rows,
    checksum = excluded.checksum,
    bytes = excluded.bytes,
    archived_at = excluded.archived_at,
    verified_at = NULL;
