-- Judged hours with rows that ended before a moment and are still raw, oldest first, and what holds each back.
SELECT hour, passed OR accepted_at IS NOT NULL AS may_compact
FROM ops.hours
WHERE checked_at IS NOT NULL
    AND compacted_at IS NULL
    AND archived_at IS NULL
    AND dropped_at IS NULL
    AND rows > 0
    AND hour < %(ended_before)s::timestamptz - interval '1 hour'
ORDER BY hour;
