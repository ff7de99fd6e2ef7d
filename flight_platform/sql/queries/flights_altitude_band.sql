-- How long one flight was between two barometric altitudes, both included; no row where history does not know it.
-- Between two reports of an altitude the aircraft is taken to climb or descend evenly. Where they lie more than five
-- minutes apart nobody knows: that time counts as unknown and ends a stay in the band.
WITH reports AS (
    SELECT p.time, p.altitude_ft
    FROM analytics.positions AS p
    WHERE p.flight_key = %(flight_key)s AND p.time >= %(from_time)s AND p.time < %(to_time)s
        AND p.hour BETWEEN analytics.hour_of(%(from_time)s) AND analytics.hour_of(%(to_time)s)
),
paired AS (
    SELECT
        altitude_ft,
        lead(altitude_ft) OVER track AS next_ft,
        extract(epoch FROM lead(time) OVER track - time)::double precision AS leg_s,
        extract(epoch FROM time - lag(time) OVER track)::double precision AS leg_before_s
    FROM reports
    WHERE altitude_ft IS NOT NULL
    WINDOW track AS (ORDER BY time)
),
legs AS (
    SELECT
        leg_s,
        altitude_ft BETWEEN %(low_ft)s AND %(high_ft)s AS starts_inside,
        leg_before_s IS NULL OR leg_before_s > 300 AS starts_afresh,
        leg_s <= 300 AS is_known,
        least(altitude_ft, next_ft) <= %(high_ft)s AND greatest(altitude_ft, next_ft) >= %(low_ft)s AS touches,
        CASE
            WHEN altitude_ft = next_ft THEN (altitude_ft BETWEEN %(low_ft)s AND %(high_ft)s)::integer::double precision
            ELSE greatest(
                0,
                least(greatest(altitude_ft, next_ft), %(high_ft)s) - greatest(least(altitude_ft, next_ft), %(low_ft)s)
            )::double precision / abs(next_ft - altitude_ft)
        END AS share_inside
    FROM paired
),
sums AS (
    SELECT
        coalesce(sum(leg_s * share_inside) FILTER (WHERE is_known), 0) AS inside_s,
        coalesce(sum(leg_s) FILTER (WHERE is_known), 0) AS known_s,
        count(*) FILTER (WHERE starts_inside AND starts_afresh OR NOT starts_inside AND is_known AND touches) AS entries
    FROM legs
),
whole AS (
    SELECT count(*) AS positions, extract(epoch FROM max(time) - min(time))::double precision AS duration_s FROM reports
)
SELECT
    analytics.flight_id_text(%(flight_key)s::bigint) AS flight_id,
    analytics.icao24_text(%(flight_key)s::bigint >> 32) AS icao24,
    %(low_ft)s::integer AS low_ft,
    %(high_ft)s::integer AS high_ft,
    sums.inside_s AS seconds,
    sums.entries,
    sums.inside_s / nullif(sums.known_s, 0) AS share,
    sums.known_s AS known_seconds,
    whole.duration_s - sums.known_s AS unknown_seconds
FROM sums CROSS JOIN whole
WHERE whole.positions > 0;
