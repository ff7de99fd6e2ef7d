INSERT INTO ops.block_list (icao24, registration, callsign, treatment, since, until, reason, added_by)
VALUES (
    %(icao24)s, %(registration)s, %(callsign)s, %(treatment)s, %(since)s, %(until)s, %(reason)s, %(actor)s
)
RETURNING rule_id;
