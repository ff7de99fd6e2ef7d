-- The chunks of one hour or several in a row, of a range of flights, for a reader of chunk_copy.py.
COPY (
    SELECT *
    FROM history.chunks
    WHERE hour >= %(hour)s::timestamptz
        AND hour < %(until)s::timestamptz
        AND flight_id BETWEEN %(first_flight)s AND %(last_flight)s
    ORDER BY flight_id, hour, first_time
) TO STDOUT (FORMAT binary);
