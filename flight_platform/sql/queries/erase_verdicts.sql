-- Rows of these flights, or with this callsign, out of the samples that verdicts keep of what was wrong.
UPDATE ops.verdicts AS v
SET failures = (
    SELECT jsonb_agg(
        CASE
            WHEN jsonb_typeof(f.failure -> 'sample') <> 'array' OR NOT f.failure ? 'sample' THEN f.failure
            ELSE jsonb_set(f.failure, '{sample}', coalesce(
                (
                    SELECT jsonb_agg(s.line)
                    FROM jsonb_array_elements(f.failure -> 'sample') AS s (line)
                    WHERE NOT coalesce(ops.is_named(s.line, %(first)s::bigint[], %(last)s::bigint[], %(callsign)s), false)
                ),
                '[]'
            ))
        END
        ORDER BY f.number
    )
    FROM jsonb_array_elements(v.failures) WITH ORDINALITY AS f (failure, number)
)
WHERE EXISTS (
    SELECT
    FROM jsonb_path_query(v.failures, '$[*].sample[*]') AS s (line)
    WHERE ops.is_named(s.line, %(first)s::bigint[], %(last)s::bigint[], %(callsign)s)
);
