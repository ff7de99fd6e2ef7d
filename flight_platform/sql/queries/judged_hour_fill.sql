-- The rows of an hour with what only their neighbours tell. Two sorts; the planner is given memory for them.
INSERT INTO ops.judged_hour
SELECT
    p.flight_id,
    p.flight_key,
    p.time,
    p.received_at,
    p.latitude,
    p.longitude,
    p.altitude_ft,
    p.geometric_altitude_ft,
    p.ground_speed_kt,
    p.track_deg,
    p.vertical_rate_fpm,
    p.callsign,
    p.squawk,
    p.source,
    extract(epoch FROM p.received_at - p.time),
    extract(epoch FROM p.time - analytics.flight_first_seen(p.flight_key)),
    extract(epoch FROM max(p.time) OVER received - p.time),
    -- Haversine on a sphere of 3,440.065 NM: within half a percent of the ellipsoid, which will do here.
    greatest(
        0,
        2 * 3440.065 * asin(least(1, sqrt(
            sin(radians(p.latitude - lag(p.latitude) OVER flight) / 2) ^ 2
            + cos(radians(p.latitude)) * cos(radians(lag(p.latitude) OVER flight))
            * sin(radians(p.longitude - lag(p.longitude) OVER flight) / 2) ^ 2
        ))) - %(position_error_nm)s
    ) / (extract(epoch FROM p.time - lag(p.time) OVER flight) / 3600)
FROM analytics.positions_between(%(from_time)s::timestamptz, %(to_time)s::timestamptz) AS p
WINDOW
    flight AS (PARTITION BY p.flight_key ORDER BY p.time),
    received AS (PARTITION BY p.flight_key ORDER BY p.received_at, p.time ROWS UNBOUNDED PRECEDING);
