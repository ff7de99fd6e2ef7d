-- For the demonstration: ten minutes of the busiest flight of a raw, closed hour get a squawk that no transponder has, as
-- a decoder of ours with a defect would write it. Takes the newest hour that may be taken; no row comes back where none is.
WITH chosen AS (
    SELECT c.hour
    FROM ops.hour_counts AS c
    LEFT JOIN ops.hours AS h USING (hour)
    WHERE c.hour + interval '2 hours' < now() AND h.compacted_at IS NULL AND h.dropped_at IS NULL
    GROUP BY c.hour
    HAVING sum(c.rows) >= 500
    ORDER BY c.hour DESC
    LIMIT 1
),
busiest AS (
    SELECT chosen.hour, p.flight_id, min(p.time) AS first_time
    FROM chosen
    INNER JOIN history.positions AS p ON p.time >= chosen.hour AND p.time < chosen.hour + interval '1 hour'
    GROUP BY chosen.hour, p.flight_id
    ORDER BY count(*) DESC, p.flight_id
    LIMIT 1
),
spoiled AS (
    UPDATE history.positions AS p
    SET squawk = '8899'
    FROM busiest
    WHERE p.flight_id = busiest.flight_id
        AND p.time >= busiest.first_time
        AND p.time < least(busiest.first_time + interval '10 minutes', busiest.hour + interval '1 hour')
    RETURNING busiest.hour
)
SELECT hour, count(*) FROM spoiled GROUP BY hour;
