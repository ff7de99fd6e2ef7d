-- One deriver of flights at a time, until it says so or its session ends. The same lock as in flights_lock.
SELECT pg_advisory_lock('history.flights'::regclass::bigint);
