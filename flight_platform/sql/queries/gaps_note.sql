-- What a feed itself has seen its source leave out: so much of the stretch as nobody knows yet, who looked at the
-- heartbeats meanwhile or wrote a part of it down before. Edges that are shorter than what counts as silence are those of
-- a look that came a little late.
INSERT INTO ops.gaps (hop, source, from_time, to_time, reason, cause)
SELECT 'source', %(source)s, lower(part), upper(part), %(reason)s, 'source_away'
FROM unnest(
    tstzmultirange(tstzrange(%(from_time)s, %(to_time)s)) - coalesce((
        SELECT range_agg(tstzrange(from_time, to_time))
        FROM ops.gaps
        WHERE source = %(source)s
            AND cause IN ('source_away', 'feed_away')
            AND from_time < %(to_time)s::timestamptz
            AND coalesce(to_time, 'infinity') > %(from_time)s::timestamptz
    ), '{}')
) AS part
WHERE upper(part) - lower(part) > make_interval(secs => %(silence_s)s);
