-- Nobody derives flights until this transaction ends: for who changes them or their positions.
SELECT pg_advisory_xact_lock('history.flights'::regclass::bigint);
