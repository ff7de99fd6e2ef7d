-- Flights with a position since a moment: the newest time of each, and the newest before another moment, Unix milliseconds.
SELECT
    flight_id,
    (max(extract(epoch FROM time)) * 1000)::bigint AS newest,
    (max(extract(epoch FROM time)) FILTER (WHERE time <= to_timestamp(%(before_ms)s / 1000.0)) * 1000)::bigint AS settled
FROM history.positions
WHERE time > to_timestamp(%(since_ms)s / 1000.0)
GROUP BY flight_id;
