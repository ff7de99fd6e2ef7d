-- Figures of whole flights from their positions, for those of a page that are not derived as far as they were seen. Asked
-- apart from the page: the planner must see the times to leave out the other hours. From the two tables and not the view
-- over both, which would look at the hour of each raw row.
SELECT
    asked.flight_key,
    coalesce(
        (
            SELECT p.callsign
            FROM history.positions AS p
            WHERE p.flight_id = asked.flight_key AND p.time = now.named_at
                AND p.time >= %(from_time)s AND p.time < %(to_time)s
        ),
        (
            SELECT p.callsign
            FROM history.chunk_positions AS p
            WHERE p.flight_id = asked.flight_key AND p.time = now.named_at AND p.hour = analytics.hour_of(now.named_at)
                AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
        )
    ) AS callsign,
    now.first_time,
    now.last_time,
    now.positions,
    now.max_altitude_ft
FROM unnest(%(flight_keys)s::bigint[]) AS asked (flight_key)
CROSS JOIN LATERAL (
    SELECT
        max(p.time) FILTER (WHERE p.callsign IS NOT NULL) AS named_at,
        min(p.time) AS first_time,
        max(p.time) AS last_time,
        count(*) AS positions,
        max(p.altitude_ft) AS max_altitude_ft
    FROM (
        SELECT time, callsign, altitude_ft
        FROM history.positions
        WHERE flight_id = asked.flight_key AND time >= %(from_time)s AND time < %(to_time)s
        UNION ALL
        SELECT time, callsign, altitude_ft
        FROM history.chunk_positions
        WHERE flight_id = asked.flight_key AND time >= %(from_time)s AND time < %(to_time)s
            AND hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
    ) AS p
) AS now;
