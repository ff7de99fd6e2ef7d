-- Opens an incident where none with this key is open (index incidents_open); no row comes back where one is.
INSERT INTO ops.incidents (
    key, hop, source, severity, summary, since, last_good, cause, runbook, detail, opened_at, seen_at
)
SELECT
    %(key)s, %(hop)s, %(source)s, %(severity)s, %(summary)s, %(since)s, %(last_good)s, %(code)s, %(runbook)s,
    %(detail)s::jsonb, noticed.at, noticed.at
FROM (SELECT coalesce(%(at)s::timestamptz, clock_timestamp()) AS at) AS noticed
ON CONFLICT (key) WHERE closed_at IS NULL DO NOTHING
RETURNING incident_id, opened_at AS event_at;
