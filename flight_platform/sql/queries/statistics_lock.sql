-- One writer a day (its number since 1970): hours of one day would refresh the same row.
SELECT pg_advisory_xact_lock(hashtext('history.statistics'), %(day)s);
