-- What an hour came to before.
WITH flights AS (
    DELETE FROM history.statistics_flights WHERE hour = %(hour)s
), cells AS (
    DELETE FROM history.statistics_cells WHERE hour = %(hour)s
)

DELETE FROM history.statistics WHERE period = 'hour' AND period_start = %(hour)s;
