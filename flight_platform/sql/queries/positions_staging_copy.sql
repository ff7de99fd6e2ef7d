-- Takes a buffer of copy.py into the staging table.
COPY pg_temp.positions_staging (
    flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
    ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
) FROM STDIN (FORMAT binary);
