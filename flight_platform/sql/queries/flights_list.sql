-- A page of the flights that have a position in a window of time (and in a box, where one is asked for), the one that
-- was first seen last before the others. That moment stands in the flight id, so the id alone tells where a page ended.
-- The figures are those of the whole flight, not of the window.
--
-- Flights come from history.flights, and from the positions of those stretches whose flights are not there yet: hours
-- that nobody has derived, and what has come since of an hour that was derived before it closed (ten minutes after its
-- end). What was seen there is `fresh`: its figures are those of its positions, which flights_fresh tells.
WITH stretches AS (
    SELECT
        h.hour,
        greatest(h.hour, d.last_time, %(from_time)s) AS from_time,
        least(h.hour + interval '1 hour', %(to_time)s) AS to_time
    FROM generate_series(
        analytics.hour_of(%(from_time)s), %(to_time)s::timestamptz - interval '1 microsecond', interval '1 hour'
    ) AS h (hour)
    LEFT JOIN history.flight_hours AS d ON d.hour = h.hour
    WHERE d.hour IS NULL OR d.derived_at < h.hour + interval '70 minutes'
),
derived AS (
    SELECT f.flight_id AS flight_key
    FROM history.flights AS f
    WHERE f.first_time < %(to_time)s AND f.last_time >= %(from_time)s
        AND f.first_time >= %(from_time)s::timestamptz - interval '36 hours' -- no flight is longer
        AND (%(first_key)s::bigint IS NULL OR f.flight_id BETWEEN %(first_key)s::bigint AND %(last_key)s::bigint)
        AND (%(callsign)s::text IS NULL OR %(callsign)s = ANY(f.callsigns))
        AND (
            %(west)s::double precision IS NULL
            OR f.south <= %(north)s AND f.north >= %(south)s
            AND CASE (f.west > f.east)::integer + (%(west)s > %(east)s)::integer -- how many cross the antimeridian
                WHEN 0 THEN f.west <= %(east)s AND f.east >= %(west)s
                WHEN 1 THEN f.west <= %(east)s OR f.east >= %(west)s
                ELSE true
            END
        )
        -- Its first or last position lies in the window, or one in between does; and in the box.
        AND (
            %(west)s::double precision IS NULL AND (f.first_time >= %(from_time)s OR f.last_time < %(to_time)s)
            OR EXISTS (
                SELECT FROM analytics.positions AS p
                WHERE p.flight_key = f.flight_id AND p.time >= %(from_time)s AND p.time < %(to_time)s
                    AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
                    AND (
                        %(west)s::double precision IS NULL
                        OR p.latitude BETWEEN %(south)s AND %(north)s
                        AND CASE
                            WHEN %(west)s <= %(east)s THEN p.longitude BETWEEN %(west)s AND %(east)s
                            ELSE p.longitude >= %(west)s OR p.longitude <= %(east)s
                        END
                    )
            )
        )
),
fresh AS (
    SELECT DISTINCT seen.flight_key
    FROM stretches
    CROSS JOIN LATERAL (
        SELECT p.flight_key
        FROM analytics.positions AS p
        WHERE p.time >= stretches.from_time AND p.time < stretches.to_time AND p.hour = stretches.hour
            AND p.time >= %(from_time)s AND p.time < %(to_time)s -- said again for the planner, who sees constants only
            AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
            AND (%(first_key)s::bigint IS NULL OR p.flight_key BETWEEN %(first_key)s::bigint AND %(last_key)s::bigint)
            AND (%(callsign)s::text IS NULL OR p.callsign = %(callsign)s)
            AND (
                %(west)s::double precision IS NULL
                OR p.latitude BETWEEN %(south)s AND %(north)s
                AND CASE
                    WHEN %(west)s <= %(east)s THEN p.longitude BETWEEN %(west)s AND %(east)s
                    ELSE p.longitude >= %(west)s OR p.longitude <= %(east)s
                END
            )
    ) AS seen
),
page AS (
    SELECT flight_key, bool_or(is_fresh) AS is_fresh
    FROM (
        SELECT flight_key, false AS is_fresh FROM derived
        UNION ALL
        SELECT flight_key, true FROM fresh
    ) AS found
    WHERE (
            %(after)s::bigint IS NULL
            OR (flight_key & 4294967295, flight_key) < (%(after)s::bigint & 4294967295, %(after)s::bigint)
        )
        AND (
            %(departure_airport)s::text IS NULL AND %(arrival_airport)s::text IS NULL
            OR EXISTS (
                SELECT FROM history.flights AS f
                WHERE f.flight_id = found.flight_key
                    AND (%(departure_airport)s::text IS NULL OR f.departure_airport = %(departure_airport)s)
                    AND (%(arrival_airport)s::text IS NULL OR f.arrival_airport = %(arrival_airport)s)
            )
        )
    GROUP BY flight_key
    ORDER BY flight_key & 4294967295 DESC, flight_key DESC
    LIMIT %(limit)s
)
SELECT
    page.flight_key,
    page.is_fresh,
    analytics.flight_id_text(page.flight_key) AS flight_id,
    analytics.icao24_text(page.flight_key >> 32) AS icao24,
    f.callsign,
    a.registration,
    a.type_code,
    f.first_time,
    f.last_time,
    f.departure_airport,
    f.takeoff_time,
    f.arrival_airport,
    f.landing_time,
    f.positions,
    f.max_altitude_ft
FROM page
LEFT JOIN history.flights AS f ON f.flight_id = page.flight_key
LEFT JOIN reference.aircraft AS a ON a.icao24 = analytics.icao24_text(page.flight_key >> 32)
ORDER BY page.flight_key & 4294967295 DESC, page.flight_key DESC;
