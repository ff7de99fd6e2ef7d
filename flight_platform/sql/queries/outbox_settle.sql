-- The outcome of an attempt. Pauses double from five seconds to ten minutes; after a day we stop trying.
UPDATE ops.outbox
SET attempts = attempts + 1,
    delivered_at = CASE WHEN %(taken)s THEN clock_timestamp() END,
    given_up_at = CASE
        WHEN NOT %(taken)s AND clock_timestamp() - event_at > %(patience)s::interval THEN clock_timestamp()
    END,
    next_try_at = clock_timestamp() + least(interval '5 seconds' * 2 ^ least(attempts, 10), interval '10 minutes')
WHERE outbox_id = %(outbox_id)s
RETURNING attempts, given_up_at IS NOT NULL AS given_up;
