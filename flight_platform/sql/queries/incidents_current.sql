-- What is wrong now, oldest first.
SELECT incident_id, key, hop, source, severity, summary, since, last_good, opened_at, detail
FROM ops.incidents
WHERE closed_at IS NULL
ORDER BY opened_at, incident_id;
