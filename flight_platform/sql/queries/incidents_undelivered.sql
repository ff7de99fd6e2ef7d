-- Incidents of which a receiver has not been told: `undelivered` holds the failed attempts by receiver. The rows are
-- locked until the attempts of this round are written down, and two senders never take the same one.
SELECT incident_id, key, hop, source, severity, summary, since, last_good, closed_at, detail
FROM ops.incidents
WHERE detail -> 'undelivered' <> '{}'::jsonb
ORDER BY incident_id
LIMIT 20
FOR UPDATE SKIP LOCKED;
