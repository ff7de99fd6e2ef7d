-- One process says how it is; the row is its newest word. The answer: how long ago Dagster's sensor left its own, which
-- the process tells in its metrics, so that somebody who does not depend on Dagster can watch it.
INSERT INTO ops.heartbeats (
    stage, instance, source, started_at, beat_at, watermark, source_clock, lag_records, counters, rss_bytes,
    metrics_port, note, pid, repeatable, period_s, concerns, watermarks
)
VALUES (
    %(stage)s, %(instance)s, %(source)s, %(started_at)s, clock_timestamp(), %(watermark)s, %(source_clock)s,
    %(lag_records)s, %(counters)s::jsonb, %(rss_bytes)s, %(metrics_port)s, %(note)s, %(pid)s, %(repeatable)s,
    %(period_s)s, %(concerns)s::jsonb, %(watermarks)s::jsonb
)
ON CONFLICT (stage, instance, source) DO UPDATE SET
    started_at = excluded.started_at,
    beat_at = excluded.beat_at,
    watermark = excluded.watermark,
    source_clock = excluded.source_clock,
    lag_records = excluded.lag_records,
    counters = excluded.counters,
    rss_bytes = excluded.rss_bytes,
    metrics_port = excluded.metrics_port,
    note = excluded.note,
    pid = excluded.pid,
    repeatable = excluded.repeatable,
    period_s = excluded.period_s,
    concerns = excluded.concerns,
    watermarks = excluded.watermarks
RETURNING (
    SELECT extract(epoch FROM clock_timestamp() - max(w.beat_at))::double precision
    FROM ops.heartbeats AS w
    WHERE w.stage = 'dagster'
) AS watchman_age_s;
