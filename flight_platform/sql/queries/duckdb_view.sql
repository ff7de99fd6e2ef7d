-- DuckDB: each position once, wherever it lies. The anti-join is over the few that came to an hour after it had left.
CREATE VIEW positions AS
SELECT p.* FROM _in_postgres AS p WHERE p.hour NOT IN (SELECT hour FROM _archived_hours)
UNION ALL
SELECT a.* FROM _in_archive AS a WHERE a.hour IN (SELECT hour FROM _archived_hours)
UNION ALL
SELECT p.*
FROM _in_postgres AS p
WHERE
    p.hour IN (SELECT hour FROM _archived_hours)
    AND NOT EXISTS (SELECT 1 FROM _in_archive AS a WHERE a.flight_key = p.flight_key AND a.time = p.time);
