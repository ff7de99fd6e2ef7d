-- Opens an incident where none with this key is open (index incidents_open); no row comes back where one is.
INSERT INTO ops.incidents (key, hop, source, severity, summary, since, last_good, detail)
VALUES (
    %(key)s, %(hop)s, %(source)s, %(severity)s, %(summary)s, %(since)s, %(last_good)s, %(detail)s
)
ON CONFLICT (key) WHERE closed_at IS NULL DO NOTHING
RETURNING incident_id;
