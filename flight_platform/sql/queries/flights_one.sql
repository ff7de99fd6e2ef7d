-- One flight with its figures; no row where history does not know it. They are those of its positions, so that they are
-- right at any moment; what is inferred (airports, take-off, landing) is that of history.flights, NULL until it is there.
-- distance_nm: sum of the great-circle legs between consecutive positions (haversine on a sphere of 6,371,008.8 m, the
-- earth's mean radius: within 0.5 percent of the ellipsoid).
-- average_ground_speed_kt: reported ground speeds weighted by time: the mean of both ends of each leg times its duration,
-- over legs whose ends both tell a speed and lie five minutes apart at most; the plain mean where there is no such leg.
WITH reports AS (
    SELECT
        p.*,
        radians(p.latitude) AS phi,
        radians(lead(p.latitude) OVER track) AS next_phi,
        radians(lead(p.longitude) OVER track - p.longitude) AS delta_lambda,
        lead(p.ground_speed_kt) OVER track AS next_speed_kt,
        extract(epoch FROM lead(p.time) OVER track - p.time)::double precision AS leg_s
    FROM analytics.positions AS p
    WHERE p.flight_key = %(flight_key)s AND p.time >= %(from_time)s AND p.time < %(to_time)s
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
    WINDOW track AS (ORDER BY p.time)
),
legs AS (
    SELECT
        reports.*,
        CASE WHEN leg_s IS NOT NULL THEN -- least() would take the NULL of the last report for a 1
            2 * 3440.0695 * asin(least(1, sqrt( -- 3440.0695 nautical miles are the mean radius
                sin((next_phi - phi) / 2) ^ 2 + cos(phi) * cos(next_phi) * sin(delta_lambda / 2) ^ 2
            )))
        END AS leg_nm,
        CASE WHEN leg_s <= 300 THEN (ground_speed_kt + next_speed_kt) / 2 END AS leg_kt
    FROM reports
),
figures AS (
    SELECT
        (array_agg(callsign ORDER BY time DESC) FILTER (WHERE callsign IS NOT NULL))[1] AS callsign,
        min(time) AS first_time,
        max(time) AS last_time,
        (array_agg(latitude ORDER BY time))[1] AS first_latitude,
        (array_agg(longitude ORDER BY time))[1] AS first_longitude,
        (array_agg(latitude ORDER BY time DESC))[1] AS last_latitude,
        (array_agg(longitude ORDER BY time DESC))[1] AS last_longitude,
        count(*) AS positions,
        round(coalesce(
            sum(leg_kt * leg_s) / nullif(sum(leg_s) FILTER (WHERE leg_kt IS NOT NULL), 0),
            avg(ground_speed_kt)
        )::numeric, 1)::double precision AS average_ground_speed_kt,
        max(altitude_ft) AS maximum_altitude_ft,
        round(coalesce(sum(leg_nm), 0)::numeric, 2)::double precision AS distance_nm,
        extract(epoch FROM max(time) - min(time))::double precision AS duration_s
    FROM legs
    HAVING count(*) > 0
)
SELECT
    analytics.flight_id_text(%(flight_key)s::bigint) AS flight_id,
    analytics.icao24_text(%(flight_key)s::bigint >> 32) AS icao24,
    figures.callsign,
    a.registration,
    a.type_code,
    a.operator,
    figures.first_time,
    figures.last_time,
    figures.first_latitude,
    figures.first_longitude,
    figures.last_latitude,
    figures.last_longitude,
    f.departure_airport,
    f.departure_confidence::double precision,
    f.takeoff_time,
    f.takeoff_confidence::double precision,
    f.arrival_airport,
    f.arrival_confidence::double precision,
    f.landing_time,
    f.landing_confidence::double precision,
    figures.positions,
    figures.average_ground_speed_kt,
    figures.maximum_altitude_ft,
    figures.distance_nm,
    figures.duration_s
FROM figures
LEFT JOIN history.flights AS f ON f.flight_id = %(flight_key)s::bigint
LEFT JOIN reference.aircraft AS a ON a.icao24 = analytics.icao24_text(%(flight_key)s::bigint >> 32);
