-- Waits until no writer is in the hour, and keeps them out until the transaction ends.
SELECT pg_advisory_xact_lock(history.leaf_lock_class(), (extract(epoch FROM %(hour)s::timestamptz) / 3600)::integer);
