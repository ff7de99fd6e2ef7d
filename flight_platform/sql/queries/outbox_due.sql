-- What these receivers have to be told now: of each incident the oldest message first. The rows are locked until the
-- outcome of the attempt is written down, so that two senders never take the same one.
SELECT
    o.outbox_id, o.event, o.event_at, o.receiver, o.attempts,
    i.incident_id, i.key, i.hop, i.source, i.severity, i.summary, i.since, i.last_good, i.opened_at, i.cause, i.runbook,
    i.detail, CASE WHEN o.event = 'closed' THEN o.event_at END AS closed_at
FROM ops.outbox AS o
INNER JOIN ops.incidents AS i ON i.incident_id = o.incident_id
WHERE o.delivered_at IS NULL
    AND o.given_up_at IS NULL
    AND o.next_try_at <= clock_timestamp()
    AND o.receiver = ANY(%(receivers)s)
    AND NOT EXISTS (
        SELECT FROM ops.outbox AS before
        WHERE before.incident_id = o.incident_id
            AND before.receiver = o.receiver
            AND before.outbox_id < o.outbox_id
            AND before.delivered_at IS NULL
            AND before.given_up_at IS NULL
    )
ORDER BY o.outbox_id
LIMIT 20
FOR UPDATE OF o SKIP LOCKED;
