-- Accepts a red hour with what is known to be wrong with it; no row comes back where the hour is not red.
WITH accepted AS (
    UPDATE ops.hours
    SET accepted_at = clock_timestamp(), accepted_by = %(by)s, accepted_reason = %(reason)s
    WHERE hour = %(hour)s AND passed = false
    RETURNING hour, accepted_at
)
INSERT INTO ops.acceptances (hour, accepted_at, accepted_by, reason, failures)
SELECT
    a.hour,
    a.accepted_at,
    %(by)s,
    %(reason)s,
    ARRAY(SELECT f ->> 'name' FROM jsonb_array_elements(v.failures) AS f)
FROM accepted AS a
CROSS JOIN LATERAL (
    SELECT failures FROM ops.verdicts WHERE hour = a.hour ORDER BY verdict_id DESC LIMIT 1
) AS v
RETURNING acceptance_id;
