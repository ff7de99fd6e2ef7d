-- The flights that ever told a callsign: as derived, and those of which nothing is derived yet.
SELECT flight_id FROM history.flights WHERE callsigns @> ARRAY[%(callsign)s]
UNION
SELECT flight_id FROM history.positions WHERE callsign = %(callsign)s
UNION
SELECT flight_id FROM history.chunks WHERE callsign = %(callsign)s -- the same for all positions of a chunk
ORDER BY 1;
