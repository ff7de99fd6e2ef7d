-- What every always-on process said last, in the order in which a report passes them.
SELECT
    stage,
    instance,
    source,
    started_at,
    beat_at,
    extract(epoch FROM clock_timestamp() - beat_at)::double precision AS beat_age_s,
    watermark,
    extract(epoch FROM clock_timestamp() - watermark)::double precision AS watermark_age_s,
    source_clock,
    watermarks,
    lag_records,
    counters,
    rss_bytes,
    metrics_port,
    note,
    pid
FROM ops.heartbeats
ORDER BY array_position(ARRAY['source', 'feed', 'track', 'live', 'history'], stage), instance, source;
