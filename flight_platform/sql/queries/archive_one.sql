-- What is on record of a day in the archive.
SELECT path, rows, checksum, bytes, archived_at, verified_at, dropped_at FROM ops.archive WHERE day = %(day)s;
