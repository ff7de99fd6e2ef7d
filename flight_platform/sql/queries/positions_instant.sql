-- The sky at an instant: of each flight the newest position within a minute. In a box, where one is asked for: whoever
-- left it within the minute is not in it.
SELECT
    flight_id, icao24, time, received_at, latitude, longitude, altitude_ft, geometric_altitude_ft, on_ground,
    ground_speed_kt, track_deg, vertical_rate_fpm, callsign, squawk, emergency, kind, source
FROM (
    SELECT DISTINCT ON (p.flight_key) p.*
    FROM analytics.positions AS p
    WHERE p.time > %(from_time)s AND p.time <= %(time)s
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(time)s)
    ORDER BY p.flight_key, p.time DESC
) AS newest
WHERE %(west)s::double precision IS NULL
    OR latitude BETWEEN %(south)s AND %(north)s
    AND CASE
        WHEN %(west)s <= %(east)s THEN longitude BETWEEN %(west)s AND %(east)s
        ELSE longitude >= %(west)s OR longitude <= %(east)s -- across the antimeridian
    END
ORDER BY flight_key
LIMIT %(limit)s;
