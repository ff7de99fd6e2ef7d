-- Books rows that were erased from an hour; stands in the transaction that erases them.
INSERT INTO ops.hour_erasures AS e (hour, rows)
VALUES (%(hour)s, %(rows)s)
ON CONFLICT (hour) DO UPDATE SET rows = e.rows + excluded.rows, erased_at = clock_timestamp();
