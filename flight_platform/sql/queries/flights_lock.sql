-- One deriver of flights at a time, until it says so or its session ends.
SELECT pg_advisory_lock('history.flights'::regclass::bigint);
