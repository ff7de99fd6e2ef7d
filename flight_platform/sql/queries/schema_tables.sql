-- Every table and view of our schemas with its columns and comments; the leaves of a partitioned table are left out.
SELECT
    n.nspname,
    obj_description(n.oid, 'pg_namespace'),
    c.relname,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'p' THEN 'partitioned table' ELSE 'table' END,
    obj_description(c.oid, 'pg_class'),
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    col_description(c.oid, a.attnum)
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname IN ('history', 'ops', 'reference', 'analytics') AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT c.relispartition
ORDER BY n.nspname, c.relname, a.attnum;
