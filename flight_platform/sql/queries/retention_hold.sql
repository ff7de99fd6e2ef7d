-- Waits until no writer is in any hour of a day, and keeps them out until the transaction ends.
SELECT pg_advisory_xact_lock(history.leaf_lock_class(), (extract(epoch FROM %(start)s::timestamptz) / 3600)::integer + n)
FROM generate_series(0, 23) AS n;
