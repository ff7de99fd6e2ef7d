-- The last proof of an hour.
INSERT INTO ops.hour_proofs (hour, complete, as_of, rows, counted, missing)
VALUES (%(hour)s, %(complete)s, %(as_of)s, %(rows)s, %(counted)s, %(missing)s)
ON CONFLICT (hour) DO UPDATE SET
    proved_at = clock_timestamp(),
    complete = excluded.complete,
    as_of = excluded.as_of,
    rows = excluded.rows,
    counted = excluded.counted,
    missing = excluded.missing;
