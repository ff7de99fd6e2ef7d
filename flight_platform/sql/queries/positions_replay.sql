-- Some frames of a window of the sky, a step apart: of each flight the newest position within each step, frame by frame.
-- Frame 0 is the sky at the start: its step is the minute before. With a box, those in it, and once each that has left it,
-- so that who follows the frames knows; `seen` are those that were in it at the frame before.
SELECT
    frame, inside, flight_id, icao24, time, received_at, latitude, longitude, altitude_ft, geometric_altitude_ft,
    on_ground, ground_speed_kt, track_deg, vertical_rate_fpm, callsign, squawk, emergency, kind, source
FROM (
    SELECT *, lag(inside, 1, flight_id = ANY(%(seen)s::text[])) OVER (PARTITION BY flight_key ORDER BY frame) AS was_inside
    FROM (
        SELECT DISTINCT ON (flight_key, frame)
            *,
            %(west)s::double precision IS NULL
            OR latitude BETWEEN %(south)s AND %(north)s
            AND CASE
                WHEN %(west)s <= %(east)s THEN longitude BETWEEN %(west)s AND %(east)s
                ELSE longitude >= %(west)s OR longitude <= %(east)s -- across the antimeridian
            END AS inside
        FROM (
            SELECT
                p.*,
                greatest(0, ceil(extract(epoch FROM p.time - %(start)s::timestamptz) / %(step_s)s))::integer AS frame
            FROM analytics.positions AS p
            WHERE p.time > %(from_time)s AND p.time <= %(to_time)s
                AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
        ) AS stepped
        ORDER BY flight_key, frame, time DESC
    ) AS newest
) AS told
WHERE inside OR was_inside
ORDER BY frame, flight_key;
