-- One writer of history.flights at a time, until the end of the transaction: of two that make the same row anew, the one
-- that has read more must be the one that writes last.
SELECT pg_advisory_xact_lock('history.flights'::regclass::bigint);
