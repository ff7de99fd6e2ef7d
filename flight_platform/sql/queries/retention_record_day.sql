-- A day is in the archive alone.
UPDATE ops.archive SET dropped_at = coalesce(dropped_at, now()), verified_at = now() WHERE day = %(day)s;
