-- In which hours these ranges of flights have positions, raw or in chunks.
SELECT f.hour, s.first_flight, s.last_flight
FROM unnest(%(first)s::bigint[], %(last)s::bigint[]) AS s (first_flight, last_flight)
CROSS JOIN LATERAL (
    SELECT date_bin(interval '1 hour', p.time, timestamptz 'epoch') AS hour
    FROM history.positions AS p
    WHERE p.flight_id BETWEEN s.first_flight AND s.last_flight
    UNION
    SELECT c.hour
    FROM history.chunks AS c
    WHERE c.flight_id BETWEEN s.first_flight AND s.last_flight
) AS f
ORDER BY f.hour, s.first_flight;
