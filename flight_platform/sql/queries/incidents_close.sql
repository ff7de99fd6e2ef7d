-- Closes an incident. What was still to be delivered of its opening is replaced by the all-clear.
UPDATE ops.incidents
SET closed_at = greatest(clock_timestamp(), opened_at),
    detail = detail || jsonb_build_object('undelivered', %(undelivered)s::jsonb)
WHERE incident_id = %(incident_id)s AND closed_at IS NULL
RETURNING incident_id, since, closed_at;
