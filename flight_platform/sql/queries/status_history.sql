-- How much history there is. The rows are what the ledger proves; the hours are those that hold any, raw ones by the
-- server's own statistics (a count would read them all), in chunks or in the archive.
SELECT
    (SELECT coalesce(sum(rows), 0)::bigint FROM ops.ledger) AS rows,
    (SELECT min(first_time) FROM ops.ledger) AS oldest,
    (SELECT max(last_time) FROM ops.ledger) AS newest,
    (
        SELECT count(*) FROM analytics.coverage WHERE estimated_rows > 0 OR chunk_rows > 0 OR archive_rows > 0
    ) AS hours,
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass) AS partitions,
    (SELECT count(*) FROM ops.quarantine) AS quarantined;
