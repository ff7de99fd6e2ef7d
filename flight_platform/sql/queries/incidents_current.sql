-- What is wrong now, oldest first; `calm_s`: for how long the trouble of an open incident has not been seen.
SELECT
    incident_id, key, hop, source, severity, summary, since, last_good, opened_at, closed_at, cause, runbook, reopened,
    detail, extract(epoch FROM clock_timestamp() - seen_at)::double precision AS calm_s
FROM ops.incidents
WHERE closed_at IS NULL
ORDER BY opened_at, incident_id;
