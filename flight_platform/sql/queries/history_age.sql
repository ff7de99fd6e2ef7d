-- Seconds since the newest event time that a history consumer tells of. By heartbeats, a handful of rows: the ledger has
-- millions, and no index by time.
SELECT extract(epoch FROM clock_timestamp() - max(watermark))::float8 FROM ops.heartbeats WHERE stage = 'history';
