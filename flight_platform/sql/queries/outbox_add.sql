-- What is to be told, to each receiver.
INSERT INTO ops.outbox (incident_id, event, event_at, receiver)
SELECT %(incident_id)s, %(event)s, %(event_at)s, receiver
FROM unnest(%(receivers)s::text[]) AS receiver
ON CONFLICT (incident_id, event, event_at, receiver) DO NOTHING;
