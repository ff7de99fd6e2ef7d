-- The flights of an hour's raw positions with their number, in order: what compaction cuts its portions from.
SELECT flight_id, count(*)
FROM history.positions
WHERE time >= %(hour)s::timestamptz AND time < %(hour)s::timestamptz + interval '1 hour'
GROUP BY flight_id
ORDER BY flight_id;
