-- Which of these hours have a raw position. Each probe is pruned to one leaf.
SELECT hour
FROM unnest(%(hours)s::timestamptz[]) AS hour
WHERE EXISTS (
    SELECT FROM history.positions AS p
    WHERE p.time >= hour AND p.time < hour + interval '1 hour'
)
ORDER BY hour;
