DELETE FROM ops.block_list
WHERE rule_id = %(rule_id)s
RETURNING rule_id, icao24, registration, callsign, treatment, since, until, reason, icao24 AS address;
