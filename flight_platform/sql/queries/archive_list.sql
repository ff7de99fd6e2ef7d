-- The days of a stretch that are in the archive, oldest first.
SELECT day, path, rows, checksum, bytes, archived_at, verified_at, dropped_at
FROM ops.archive
WHERE day >= %(from_day)s AND day < %(to_day)s
ORDER BY day;
