-- Closes an incident that is open.
UPDATE ops.incidents
SET closed_at = greatest(coalesce(%(at)s::timestamptz, clock_timestamp()), opened_at)
WHERE incident_id = %(incident_id)s AND closed_at IS NULL
RETURNING incident_id, since, closed_at;
