-- The chunks of one flight by hour, for a reader of chunk_copy.py.
COPY (
    SELECT *
    FROM history.chunks
    WHERE flight_id = %(flight_key)s
        AND hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
    ORDER BY hour, first_time
) TO STDOUT (FORMAT binary);
