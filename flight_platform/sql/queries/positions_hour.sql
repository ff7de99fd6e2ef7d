-- The raw positions of an hour, of a range of flights, in order of the primary key, for a reader of copied.py; all of
-- them where no limit is set.
COPY (
    SELECT
        flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
        ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
    FROM history.positions
    WHERE time >= %(hour)s::timestamptz
        AND time < %(until)s::timestamptz
        AND flight_id BETWEEN %(first_flight)s AND %(last_flight)s
    ORDER BY flight_id, time
    LIMIT %(most)s
) TO STDOUT (FORMAT binary);
