-- A rule that says the same already.
SELECT rule_id
FROM ops.block_list
WHERE
    icao24 IS NOT DISTINCT FROM %(icao24)s AND registration IS NOT DISTINCT FROM %(registration)s
    AND callsign IS NOT DISTINCT FROM %(callsign)s AND treatment = %(treatment)s
    AND since IS NOT DISTINCT FROM %(since)s::date AND until IS NOT DISTINCT FROM %(until)s::date;
