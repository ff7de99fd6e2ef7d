-- DuckDB: what the archive has of a stretch. The day in the path prunes files, the time prunes within them.
CREATE VIEW _in_archive AS
SELECT
    flight_id, icao24, time, received_at, latitude, longitude, altitude_ft, geometric_altitude_ft, on_ground,
    ground_speed_kt, track_deg, vertical_rate_fpm, callsign, squawk, emergency, kind, source,
    date_trunc('hour', time) AS hour,
    flight_key
FROM read_parquet(getvariable('files'), hive_partitioning = true, hive_types = {'date': DATE})
WHERE
    date >= CAST(getvariable('from_time') AS DATE) AND date <= CAST(getvariable('to_time') AS DATE)
    AND time >= getvariable('from_time') AND time < getvariable('to_time');
