-- The flights of this hour are in history.flights now.
INSERT INTO history.flight_hours (hour, derived_at, last_time, flights, positions)
VALUES (%(hour)s, %(derived_at)s, %(last_time)s, %(flights)s, %(positions)s)
ON CONFLICT (hour) DO UPDATE SET
    derived_at = excluded.derived_at,
    last_time = excluded.last_time,
    flights = excluded.flights,
    positions = excluded.positions;
