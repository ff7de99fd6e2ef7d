DELETE FROM history.flights AS f
USING unnest(%(first)s::bigint[], %(last)s::bigint[]) AS s (first_flight, last_flight)
WHERE f.flight_id BETWEEN s.first_flight AND s.last_flight;
