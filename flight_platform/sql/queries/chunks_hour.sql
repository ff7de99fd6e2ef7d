-- The chunks of an hour, of a range of flights, for a reader of chunk_copy.py.
COPY (
    SELECT *
    FROM history.chunks
    WHERE hour = %(hour)s::timestamptz AND flight_id BETWEEN %(first_flight)s AND %(last_flight)s
    ORDER BY flight_id, first_time
) TO STDOUT (FORMAT binary);
