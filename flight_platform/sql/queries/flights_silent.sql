-- The flights of which nothing has come for a while and that are not final yet.
SELECT flight_id FROM history.flights WHERE NOT final AND last_time < %(before)s ORDER BY flight_id;
