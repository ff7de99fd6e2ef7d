-- Closed hours of a stretch of time with their newest judgement and how far they have come, oldest first.
SELECT
    h.hour,
    h.rows,
    h.checked_at,
    h.passed,
    v.presence,
    v.failures,
    h.accepted_at,
    h.accepted_by,
    h.accepted_reason,
    h.compacted_at,
    h.archived_at,
    h.dropped_at
FROM ops.hours AS h
LEFT JOIN LATERAL (
    SELECT presence, failures FROM ops.verdicts WHERE hour = h.hour ORDER BY verdict_id DESC LIMIT 1
) AS v ON true
WHERE h.checked_at IS NOT NULL AND h.hour >= %(from_time)s AND h.hour < %(to_time)s
ORDER BY h.hour;
