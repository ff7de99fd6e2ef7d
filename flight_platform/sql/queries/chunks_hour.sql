-- The chunks of an hour, of these flights where some are named, for a reader of chunk_copy.py.
COPY (
    SELECT *
    FROM history.chunks
    WHERE hour = %(hour)s::timestamptz
        AND (%(flights)s::bigint[] IS NULL OR flight_id = ANY (%(flights)s::bigint[]))
    ORDER BY flight_id
) TO STDOUT (FORMAT binary);
