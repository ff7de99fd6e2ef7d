-- An incident that comes back within minutes of its all-clear goes on: what flaps is one incident. The newest of its key;
-- no row comes back where it was over for longer, or was opened meanwhile.
UPDATE ops.incidents AS old
SET closed_at = NULL,
    reopened = reopened + 1,
    reopened_at = noticed.at,
    severity = %(severity)s,
    summary = %(summary)s,
    cause = %(code)s,
    seen_at = noticed.at,
    detail = detail || %(detail)s::jsonb
FROM (SELECT coalesce(%(at)s::timestamptz, clock_timestamp()) AS at) AS noticed
WHERE old.incident_id = (
        SELECT incident_id
        FROM ops.incidents
        WHERE key = %(key)s AND closed_at > noticed.at - %(flapping)s::interval
        ORDER BY incident_id DESC
        LIMIT 1
    )
    AND old.closed_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM ops.incidents WHERE key = %(key)s AND closed_at IS NULL)
RETURNING incident_id, seen_at AS event_at;
