-- The red hours, oldest first: not as expected and not accepted. `since` is the first judgement after the last good one.
SELECT
    h.hour,
    h.rows,
    h.checked_at,
    v.presence,
    v.failures,
    (
        SELECT min(first_red.judged_at)
        FROM ops.verdicts AS first_red
        WHERE first_red.hour = h.hour
            AND first_red.verdict_id > coalesce(
                (SELECT max(good.verdict_id) FROM ops.verdicts AS good WHERE good.hour = h.hour AND good.passed), 0
            )
    ) AS since
FROM ops.hours AS h
CROSS JOIN LATERAL (
    SELECT presence, failures FROM ops.verdicts WHERE hour = h.hour ORDER BY verdict_id DESC LIMIT 1
) AS v
WHERE h.passed = false AND h.accepted_at IS NULL
ORDER BY h.hour;
