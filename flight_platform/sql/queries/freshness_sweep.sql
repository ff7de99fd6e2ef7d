-- Takes away the rows of processes that died long ago and have a living successor (same stage, same source), or that
-- nobody waits for (a backfill).
DELETE FROM ops.heartbeats AS dead
WHERE dead.beat_at < %(now)s::timestamptz - %(keep)s::interval
    AND (dead.source LIKE %(unmissed)s OR EXISTS (
        SELECT FROM ops.heartbeats AS living
        WHERE living.stage = dead.stage
            AND living.source = dead.source
            AND living.beat_at > %(now)s::timestamptz - %(alive)s::interval
    ));
