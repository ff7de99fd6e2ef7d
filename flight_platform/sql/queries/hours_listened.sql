-- Whether somebody is known to have listened through all of an hour: runs of a source's feeds that follow one another
-- within two minutes (a restart), from before the hour to a time after it by the source's own clock; and no loss that was
-- noticed within.
WITH runs AS (
    SELECT source, started_at, coalesce(source_clock, watermark) AS heard_to FROM ops.heartbeats WHERE stage = 'feed'
    UNION ALL
    SELECT source, started_at, heard_to FROM ops.listening
),
heard AS (
    SELECT range_agg(tstzrange(started_at, heard_to + interval '2 minutes')) AS stretches, max(heard_to) AS heard_to
    FROM runs
    WHERE heard_to >= started_at
    GROUP BY source
)
SELECT
    EXISTS (
        SELECT FROM heard
        WHERE stretches @> tstzrange(%(hour)s::timestamptz, %(hour)s::timestamptz + interval '1 hour')
            AND heard_to >= %(hour)s::timestamptz + interval '1 hour'
    )
    AND NOT EXISTS (
        SELECT FROM ops.gaps
        WHERE filled_at IS NULL
            AND from_time < %(hour)s::timestamptz + interval '1 hour'
            AND coalesce(to_time, 'infinity') > %(hour)s::timestamptz
    );
