-- Opens an incident where none with this key is open (index incidents_open); no row comes back where one is.
INSERT INTO ops.incidents (key, hop, source, severity, summary, since, last_good, cause, runbook, detail)
VALUES (
    %(key)s, %(hop)s, %(source)s, %(severity)s, %(summary)s, %(since)s, %(last_good)s, %(code)s, %(runbook)s,
    %(detail)s::jsonb
)
ON CONFLICT (key) WHERE closed_at IS NULL DO NOTHING
RETURNING incident_id, opened_at AS event_at;
