-- The rows of these flights go before they are made anew.
DELETE FROM history.flights WHERE flight_id = ANY(%(flights)s::bigint[]);
