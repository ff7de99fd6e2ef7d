-- The raw positions of one flight in order of time, with the documented names; all of them where no limit is set.
SELECT
    analytics.flight_id_text(%(flight_key)s::bigint) AS flight_id,
    analytics.icao24_text(%(flight_key)s::bigint >> 32) AS icao24,
    time,
    received_at,
    latitude_e7 / 1e7::double precision AS latitude,
    longitude_e7 / 1e7::double precision AS longitude,
    altitude_ft,
    geometric_altitude_ft,
    on_ground,
    ground_speed_dkt / 10::double precision AS ground_speed_kt,
    track_ddeg / 10::double precision AS track_deg,
    vertical_rate_fpm,
    callsign,
    squawk,
    analytics.emergency_text(emergency) AS emergency,
    analytics.kind_text(kind) AS kind,
    source
FROM history.positions
WHERE flight_id = %(flight_key)s AND time >= %(from_time)s AND time < %(to_time)s
ORDER BY time
LIMIT %(most)s;
