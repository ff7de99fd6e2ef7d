-- All positions of these flights within a range of time, however they are stored, for a reader of copied.py. In no order.
COPY (
    SELECT
        p.flight_key,
        p.time,
        round(p.latitude * 1e7)::integer,
        round(p.longitude * 1e7)::integer,
        p.altitude_ft,
        p.geometric_altitude_ft,
        p.vertical_rate_fpm,
        round(p.ground_speed_kt * 10)::smallint,
        round(p.track_deg * 10)::smallint,
        p.on_ground,
        p.callsign
    FROM analytics.positions AS p
    WHERE p.flight_key = ANY(%(flights)s::bigint[]) AND p.time >= %(from_time)s AND p.time < %(to_time)s
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
) TO STDOUT (FORMAT binary);
