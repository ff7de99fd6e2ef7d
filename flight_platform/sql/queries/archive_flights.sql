-- The flights that have chunks in a day, with the number of their positions, in order: what the archive's portions are
-- cut from.
SELECT flight_id, sum(rows)
FROM history.chunks
WHERE hour >= %(start)s AND hour < %(start)s + interval '24 hours'
GROUP BY flight_id
ORDER BY flight_id;
