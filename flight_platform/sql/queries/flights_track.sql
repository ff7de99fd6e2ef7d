-- The positions of one flight in order of time, with the documented names.
SELECT
    flight_id, icao24, time, received_at, latitude, longitude, altitude_ft, geometric_altitude_ft, on_ground,
    ground_speed_kt, track_deg, vertical_rate_fpm, callsign, squawk, emergency, kind, source
FROM analytics.positions
WHERE flight_key = %(flight_key)s AND time >= %(from_time)s AND time < %(to_time)s
ORDER BY time;
