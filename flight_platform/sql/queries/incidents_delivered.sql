-- Writes down which receivers still have to be told, and whom we gave up on.
UPDATE ops.incidents
SET detail = detail || jsonb_build_object('undelivered', %(undelivered)s::jsonb, 'given_up', %(given_up)s::jsonb)
WHERE incident_id = %(incident_id)s;
