-- A day is back in the database, all of it where no hour is dropped any more.
UPDATE ops.archive
SET dropped_at = NULL
WHERE day = %(day)s
    AND NOT EXISTS (
        SELECT FROM ops.hours
        WHERE hour >= %(start)s AND hour < %(start)s + interval '24 hours' AND dropped_at IS NOT NULL
    );
