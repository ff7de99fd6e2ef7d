-- How far each source had come when it was last seen.
SELECT source, clock, watermark, overflowed, seen_at FROM ops.sources;
