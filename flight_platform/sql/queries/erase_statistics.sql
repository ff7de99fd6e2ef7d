-- Who was there in which hour; the counts stay, they name nobody.
DELETE FROM history.statistics_flights AS f
USING unnest(%(first)s::bigint[], %(last)s::bigint[]) AS s (first_flight, last_flight)
WHERE f.flight_id BETWEEN s.first_flight AND s.last_flight;
