-- A stretch that is lost; without an end it goes on (index gaps_open: one of a source and cause). The incident is the open
-- one about that source.
INSERT INTO ops.gaps (incident_id, hop, source, from_time, to_time, reason, cause)
SELECT
    (
        SELECT max(incident_id)
        FROM ops.incidents
        WHERE closed_at IS NULL AND key IN ('stall:source:' || %(source)s, 'stall:feed:' || %(source)s)
    ),
    %(hop)s, %(source)s, %(from_time)s, %(to_time)s::timestamptz, %(reason)s, %(cause)s
ON CONFLICT (source, cause) WHERE to_time IS NULL DO NOTHING;
