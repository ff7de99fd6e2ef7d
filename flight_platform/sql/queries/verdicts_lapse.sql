-- Ends the acceptances of an hour that do not cover these failures; where there is no failure there is nothing to accept.
-- The hour's row is locked first, as accepting does.
WITH locked AS (
    SELECT hour FROM ops.hours WHERE hour = %(hour)s FOR UPDATE
)
UPDATE ops.acceptances AS a
SET lapsed_at = clock_timestamp()
FROM locked
WHERE a.hour = locked.hour
    AND a.lapsed_at IS NULL
    AND (cardinality(%(failures)s::text[]) = 0 OR NOT %(failures)s::text[] <@ a.failures);
