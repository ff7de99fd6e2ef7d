DELETE FROM history.positions
WHERE
    flight_id BETWEEN %(first)s AND %(last)s
    AND time >= %(hour)s::timestamptz AND time < %(hour)s::timestamptz + interval '1 hour';
