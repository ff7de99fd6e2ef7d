-- What opened or closed since a moment: how `flight stall` sees the alert and the all-clear come.
SELECT incident_id, key, hop, source, severity, summary, since, opened_at, closed_at
FROM ops.incidents
WHERE opened_at >= %(since)s
ORDER BY opened_at, incident_id;
