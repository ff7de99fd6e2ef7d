-- Whether somebody is known to have listened through all of an hour: a feed that was there before it and whose source has
-- told the time after it, and no loss that was noticed within it.
SELECT
    EXISTS (
        SELECT FROM ops.heartbeats
        WHERE stage = 'feed'
            AND started_at <= %(hour)s::timestamptz
            AND coalesce(source_clock, watermark) >= %(hour)s::timestamptz + interval '1 hour'
    )
    AND NOT EXISTS (
        SELECT FROM ops.gaps
        WHERE filled_at IS NULL
            AND from_time < %(hour)s::timestamptz + interval '1 hour'
            AND coalesce(to_time, 'infinity') > %(hour)s::timestamptz
    );
