-- How far a source has come. Times never go back: a feed that has just started has told nothing yet.
INSERT INTO ops.sources AS old (source, repeatable, clock, watermark, overflowed, seen_at)
VALUES (%(source)s, %(repeatable)s, %(clock)s, %(watermark)s, %(overflowed)s, %(seen_at)s)
ON CONFLICT (source) DO UPDATE SET
    repeatable = excluded.repeatable,
    clock = greatest(old.clock, excluded.clock),
    watermark = greatest(old.watermark, excluded.watermark),
    overflowed = excluded.overflowed,
    seen_at = excluded.seen_at;
