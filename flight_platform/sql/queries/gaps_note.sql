-- A stretch that a feed itself has seen its source leave out. Whoever looked at the heartbeats meanwhile knows it already.
INSERT INTO ops.gaps (hop, source, from_time, to_time, reason, cause)
SELECT 'source', %(source)s, %(from_time)s, %(to_time)s, 'the source gave nothing, and cannot give it later', 'source_away'
WHERE NOT EXISTS (
    SELECT FROM ops.gaps
    WHERE source = %(source)s
        AND cause IN ('source_away', 'feed_away')
        AND from_time < %(to_time)s::timestamptz
        AND coalesce(to_time, 'infinity') > %(from_time)s::timestamptz
);
