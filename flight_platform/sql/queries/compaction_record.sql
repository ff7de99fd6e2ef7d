-- What an hour's chunks amount to now. Late rows of one that was dropped leave it dropped; a restored one is back.
INSERT INTO ops.hours AS h (hour, rows, closed_at, compacted_at, chunks, chunk_rows, chunk_checksum)
SELECT
    %(hour)s::timestamptz, %(rows)s::bigint, now(), now(), count(*), %(rows)s::bigint, %(checksum)s::bigint
FROM history.chunks
WHERE hour = %(hour)s::timestamptz
ON CONFLICT (hour) DO UPDATE SET
    rows = excluded.rows,
    closed_at = coalesce(h.closed_at, excluded.closed_at),
    compacted_at = coalesce(h.compacted_at, excluded.compacted_at),
    merged_at = CASE WHEN h.compacted_at IS NOT NULL THEN excluded.compacted_at END,
    chunks = excluded.chunks,
    chunk_rows = excluded.chunk_rows,
    chunk_checksum = excluded.chunk_checksum,
    dropped_at = CASE WHEN %(restored)s THEN NULL ELSE h.dropped_at END,
    restored_at = CASE WHEN %(restored)s THEN now() ELSE h.restored_at END;
