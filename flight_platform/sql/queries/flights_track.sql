-- The positions of one flight in order of time, with the documented names.
SELECT
    analytics.flight_id_text(%(flight_key)s::bigint) AS flight_id,
    analytics.icao24_text(%(flight_key)s::bigint >> 32) AS icao24,
    time, received_at, latitude, longitude, altitude_ft, geometric_altitude_ft, on_ground,
    ground_speed_kt, track_deg, vertical_rate_fpm, callsign, squawk, emergency, kind, source
FROM analytics.positions
WHERE flight_key = %(flight_key)s AND time >= %(from_time)s AND time < %(to_time)s
    AND hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
ORDER BY time;
