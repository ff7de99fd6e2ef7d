-- Moves what history does not have yet, raw or in chunks; answers with the ordinals, from 0, of the rows that it had.
-- The chunks of the flights and hours of the batch are opened once each; where no hour has any, none is looked for.
WITH staged AS (
    SELECT *, date_bin(interval '1 hour', time, timestamptz 'epoch') AS hour FROM pg_temp.positions_staging
),
touched AS (
    SELECT DISTINCT flight_id, hour FROM staged WHERE hour = ANY (%(chunked_hours)s::timestamptz[])
),
chunked AS MATERIALIZED (
    SELECT p.flight_id, p.time
    FROM touched INNER JOIN history.chunk_positions AS p USING (flight_id, hour)
    WHERE p.hour = ANY (%(chunked_hours)s::timestamptz[]) -- the planner leaves the other days out
),
written AS (
    INSERT INTO history.positions (
        flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
        ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
    )
    SELECT
        flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, geometric_altitude_ft, vertical_rate_fpm,
        ground_speed_dkt, track_ddeg, emergency, kind, on_ground, callsign, squawk, source
    FROM staged
    WHERE NOT EXISTS (SELECT FROM chunked WHERE chunked.flight_id = staged.flight_id AND chunked.time = staged.time)
    ORDER BY flight_id, time
    ON CONFLICT (flight_id, time) DO NOTHING
    RETURNING flight_id, time
)
SELECT staged.ordinal - 1
FROM pg_temp.positions_staging AS staged
WHERE NOT EXISTS (SELECT FROM written WHERE written.flight_id = staged.flight_id AND written.time = staged.time);
