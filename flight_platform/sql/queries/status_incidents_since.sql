-- Stalls that opened, or came back, since a moment: how `flight stall` sees the alert and the all-clear come.
SELECT
    incident_id, key, hop, source, severity, summary, since, coalesce(reopened_at, opened_at) AS opened_at, closed_at,
    reopened
FROM ops.incidents
WHERE coalesce(reopened_at, opened_at) >= %(since)s AND key LIKE 'stall:%%'
ORDER BY opened_at, incident_id;
