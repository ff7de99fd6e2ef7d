-- What the platform itself has lost lately, or goes on losing; the oldest stretch of a hop and source.
SELECT DISTINCT ON (hop, source) hop, source, from_time, opened_at, reason
FROM ops.gaps
WHERE cause IN ('overflowed', 'expired')
    AND filled_at IS NULL
    AND (to_time IS NULL OR opened_at > clock_timestamp() - %(fresh)s::interval)
ORDER BY hop, source, from_time;
