-- A page of the flights that have a position in a window of time (and in a box, where one is asked for), the one that
-- was first seen last before the others. That moment stands in the flight id, so the id alone tells where a page ended.
-- The figures are those of the whole flight, not of the window.
WITH seen AS (
    SELECT DISTINCT p.flight_key
    FROM analytics.positions AS p
    WHERE p.time >= %(from_time)s AND p.time < %(to_time)s
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
        AND (%(first_key)s::bigint IS NULL OR p.flight_key BETWEEN %(first_key)s::bigint AND %(last_key)s::bigint)
        AND (%(callsign)s::text IS NULL OR p.callsign = %(callsign)s)
        AND (
            %(west)s::double precision IS NULL
            OR p.latitude BETWEEN %(south)s AND %(north)s
            AND CASE
                WHEN %(west)s <= %(east)s THEN p.longitude BETWEEN %(west)s AND %(east)s
                ELSE p.longitude >= %(west)s OR p.longitude <= %(east)s -- across the antimeridian
            END
        )
),
page AS (
    SELECT flight_key
    FROM seen
    WHERE %(after)s::bigint IS NULL
        OR (flight_key & 4294967295, flight_key) < (%(after)s::bigint & 4294967295, %(after)s::bigint)
    ORDER BY flight_key & 4294967295 DESC, flight_key DESC
    LIMIT %(limit)s
)
SELECT
    analytics.flight_id_text(page.flight_key) AS flight_id,
    analytics.icao24_text(page.flight_key >> 32) AS icao24,
    flight.callsign,
    flight.first_time,
    flight.last_time,
    flight.positions,
    flight.max_altitude_ft
FROM page
CROSS JOIN LATERAL (
    SELECT
        (array_agg(p.callsign ORDER BY p.time DESC) FILTER (WHERE p.callsign IS NOT NULL))[1] AS callsign,
        min(p.time) AS first_time,
        max(p.time) AS last_time,
        count(*) AS positions,
        max(p.altitude_ft) AS max_altitude_ft
    FROM analytics.positions AS p
    WHERE p.flight_key = page.flight_key
        AND p.time >= to_timestamp((page.flight_key & 4294967295)::double precision - 5)
        AND p.time < to_timestamp((page.flight_key & 4294967295)::double precision + 129600)
        AND p.hour >= analytics.flight_first_hour(page.flight_key)
        AND p.hour <= analytics.flight_last_hour(page.flight_key)
) AS flight
ORDER BY page.flight_key & 4294967295 DESC, page.flight_key DESC;
