-- What an hour's chunks amount to after some of their positions were erased, and what its archive then was written from.
UPDATE ops.hours
SET
    rows = greatest(rows - %(rows)s, 0),
    chunks = greatest(chunks - %(chunks)s, 0),
    chunk_rows = greatest(chunk_rows - %(rows)s, 0),
    chunk_checksum = %(checksum)s,
    archived_chunk_checksum = %(archived)s
WHERE hour = %(hour)s;
