-- What an hour's chunks amount to before they change; no row where nothing is known of it.
SELECT coalesce(chunk_rows, 0), coalesce(chunk_checksum, 0) FROM ops.hours WHERE hour = %(hour)s::timestamptz;
