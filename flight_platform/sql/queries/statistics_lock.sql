-- Whoever counts an hour, until the transaction ends: one at a time, since hours of one day refresh the same row, and one
-- who erases must not be overtaken by a count of what was read before.
SELECT pg_advisory_xact_lock('history.statistics'::regclass::bigint);
