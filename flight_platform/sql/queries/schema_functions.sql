-- Every function of our schemas with its comment.
SELECT
    p.pronamespace::regnamespace || '.' || p.proname,
    pg_get_function_arguments(p.oid),
    pg_get_function_result(p.oid),
    obj_description(p.oid, 'pg_proc')
FROM pg_proc AS p
WHERE p.pronamespace::regnamespace::text IN ('history', 'ops', 'reference', 'analytics')
ORDER BY 1, 2;
