DELETE FROM history.chunks
WHERE flight_id BETWEEN %(first)s AND %(last)s AND hour = %(hour)s::timestamptz;
