-- An hour of positions in figures. The address is the upper half of a flight id.
SELECT
    count(*) AS rows,
    count(DISTINCT flight_id) AS flights,
    count(DISTINCT flight_id >> 32) AS aircraft,
    min(time) AS first_time,
    max(time) AS last_time,
    coalesce(array_agg(DISTINCT source) FILTER (WHERE source IS NOT NULL), '{}') AS sources
FROM history.positions
WHERE time >= %(hour)s::timestamptz AND time < %(hour)s::timestamptz + interval '1 hour';
