-- The next may derive.
SELECT pg_advisory_unlock('history.flights'::regclass::bigint);
