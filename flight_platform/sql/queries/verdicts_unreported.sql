-- Takes the newest verdicts that Dagster does not show yet; older ones of an hour are overtaken and never shown.
WITH taken AS (
    UPDATE ops.verdicts SET reported = true WHERE NOT reported RETURNING verdict_id, hour, passed, presence, rows, failures
)
SELECT DISTINCT ON (t.hour)
    t.hour,
    t.presence,
    t.rows,
    t.failures,
    coalesce(p.complete, false) AS complete,
    coalesce(p.missing, '{}') AS missing
FROM taken AS t
LEFT JOIN ops.hour_proofs AS p USING (hour)
WHERE NOT EXISTS (SELECT FROM ops.verdicts AS newer WHERE newer.hour = t.hour AND newer.verdict_id > t.verdict_id)
ORDER BY t.hour, t.verdict_id DESC;
