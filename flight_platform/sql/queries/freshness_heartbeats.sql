-- The newest word of every process, and the database's clock: ages are told by the clock that wrote beat_at, so that
-- a machine whose clock is wrong is not taken for a dead one. One row at least, for the clock.
SELECT
    coalesce(%(now)s::timestamptz, clock_timestamp()) AS now,
    h.stage,
    h.instance,
    h.source,
    h.started_at,
    h.beat_at,
    h.watermark,
    coalesce(h.watermarks, '{}') AS watermarks,
    h.source_clock,
    h.lag_records,
    h.counters,
    h.note,
    h.repeatable,
    h.period_s,
    coalesce(h.concerns, '{}') AS concerns
FROM (VALUES (1)) AS one_row
LEFT JOIN ops.heartbeats AS h ON true
ORDER BY h.stage, h.source, h.instance;
