-- An hour of positions in figures, raw and chunks alike. The address is the upper half of a flight key.
SELECT
    count(*) AS rows,
    count(DISTINCT flight_key) AS flights,
    count(DISTINCT flight_key >> 32) AS aircraft,
    min(time) AS first_time,
    max(time) AS last_time,
    coalesce(array_agg(DISTINCT source) FILTER (WHERE source IS NOT NULL), '{}') AS sources
FROM analytics.positions_between(%(hour)s::timestamptz, %(hour)s::timestamptz + interval '1 hour');
