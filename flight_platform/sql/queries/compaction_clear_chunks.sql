-- Removes the chunks of these flights in an hour: they are written anew, with what came late.
DELETE FROM history.chunks WHERE hour = %(hour)s::timestamptz AND flight_id = ANY (%(flights)s::bigint[]);
