-- Moves what history does not have yet; answers with the ordinals, from 0, of the rows that it had.
WITH written AS (
    INSERT INTO history.positions (
        flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
        ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
    )
    SELECT
        flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
        ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
    FROM pg_temp.positions_staging
    ORDER BY flight_id, time
    ON CONFLICT (flight_id, time) DO NOTHING
    RETURNING flight_id, time
)
SELECT staged.ordinal - 1
FROM pg_temp.positions_staging AS staged
WHERE NOT EXISTS (SELECT FROM written WHERE written.flight_id = staged.flight_id AND written.time = staged.time);
