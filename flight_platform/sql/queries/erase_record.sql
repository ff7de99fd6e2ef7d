-- What an hour's chunks amount to after some of their positions were erased.
UPDATE ops.hours
SET
    rows = greatest(rows - %(rows)s, 0),
    chunks = greatest(chunks - %(chunks)s, 0),
    chunk_rows = greatest(chunk_rows - %(rows)s, 0),
    chunk_checksum = %(checksum)s
WHERE hour = %(hour)s;
