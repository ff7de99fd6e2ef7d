-- What an hour takes on disk: its raw leaf, and its share of its day's chunks.
SELECT
    coalesce(pg_total_relation_size(to_regclass(%(leaf)s)), 0),
    coalesce(
        pg_total_relation_size(to_regclass(%(chunk_leaf)s)) * (
            SELECT
                sum(chunk_rows) FILTER (WHERE hour = %(hour)s::timestamptz)::double precision
                / nullif(sum(chunk_rows), 0)
            FROM ops.hours
            WHERE hour >= date_bin(interval '1 day', %(hour)s::timestamptz, timestamptz 'epoch')
                AND hour < date_bin(interval '1 day', %(hour)s::timestamptz, timestamptz 'epoch') + interval '24 hours'
        ),
        0
    )::bigint;
