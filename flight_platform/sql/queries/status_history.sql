-- How much history there is. The rows are what the ledger proves; the hours are those leaves that hold any, by the
-- server's own statistics (a count would read them all).
SELECT
    (SELECT coalesce(sum(rows), 0)::bigint FROM ops.ledger) AS rows,
    (SELECT min(first_time) FROM ops.ledger) AS oldest,
    (SELECT max(last_time) FROM ops.ledger) AS newest,
    (
        SELECT count(*)
        FROM pg_inherits i
        JOIN pg_stat_user_tables s ON s.relid = i.inhrelid
        WHERE i.inhparent = 'history.positions'::regclass AND s.n_live_tup > 0
    ) AS hours,
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass) AS partitions,
    (SELECT count(*) FROM ops.quarantine) AS quarantined;
