-- The lifecycle of an hour: filled, closed, checked, compacted into chunks, archived by the day, dropped.

-- How far each hour has come. A row appears when the hour is first checked or compacted; what an hour has not come to
-- is NULL. The figures of chunks are those that the swap itself has written: archive and retention hold against them.
CREATE TABLE ops.hours (
    hour timestamptz PRIMARY KEY CHECK (date_bin(interval '1 hour', hour, timestamptz 'epoch') = hour),
    rows bigint CHECK (rows >= 0),
    closed_at timestamptz,
    checked_at timestamptz,
    passed boolean,
    accepted_at timestamptz,
    accepted_by text,
    accepted_reason text,
    compacted_at timestamptz,
    merged_at timestamptz,
    chunks integer CHECK (chunks >= 0),
    chunk_rows bigint CHECK (chunk_rows >= 0),
    chunk_checksum bigint,
    archived_at timestamptz,
    dropped_at timestamptz,
    restored_at timestamptz
);

COMMENT ON TABLE ops.hours IS 'How far each hour of history has come: checked, compacted, archived, dropped; what it has not come to is unset';
COMMENT ON COLUMN ops.hours.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.hours.rows IS 'Positions that it held when it was last checked or compacted';
COMMENT ON COLUMN ops.hours.closed_at IS 'When it was first found closed: ten minutes after its end, or later';
COMMENT ON COLUMN ops.hours.checked_at IS 'When it was last checked';
COMMENT ON COLUMN ops.hours.passed IS 'Whether it was as expected then';
COMMENT ON COLUMN ops.hours.accepted_at IS 'When an operator accepted it although it was not';
COMMENT ON COLUMN ops.hours.accepted_by IS 'Who accepted it';
COMMENT ON COLUMN ops.hours.accepted_reason IS 'Why';
COMMENT ON COLUMN ops.hours.compacted_at IS 'When its positions first became chunks';
COMMENT ON COLUMN ops.hours.merged_at IS 'When late rows were last merged into its chunks';
COMMENT ON COLUMN ops.hours.chunks IS 'Number of its chunks';
COMMENT ON COLUMN ops.hours.chunk_rows IS 'Positions in its chunks';
COMMENT ON COLUMN ops.hours.chunk_checksum IS 'Sum of the hashes of these positions, modulo 2^64: the same in any order';
COMMENT ON COLUMN ops.hours.archived_at IS 'When its positions were last written to the archive';
COMMENT ON COLUMN ops.hours.dropped_at IS 'When they left the database; the archive has them';
COMMENT ON COLUMN ops.hours.restored_at IS 'When they were last brought back from the archive';
