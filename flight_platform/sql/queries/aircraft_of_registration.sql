-- The addresses of a registration, compared without its hyphen, which not every table writes.
SELECT icao24
FROM reference.aircraft
WHERE replace(upper(registration), '-', '') = replace(%(registration)s, '-', '')
ORDER BY icao24;
