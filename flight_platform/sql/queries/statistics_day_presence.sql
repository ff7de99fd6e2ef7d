-- Aircraft and flights of a day, each counted once: of all, by source, by kind. The address is a flight id's upper half.
SELECT
    CASE WHEN grouping(source) = 0 THEN 'source' WHEN grouping(kind) = 0 THEN 'kind' ELSE 'all' END AS slice,
    CASE WHEN grouping(source) = 0 THEN source WHEN grouping(kind) = 0 THEN kind END AS value,
    count(DISTINCT flight_id >> 32) AS aircraft,
    count(DISTINCT flight_id) AS flights
FROM history.statistics_flights
WHERE hour >= %(day)s::timestamptz AND hour < %(day)s::timestamptz + interval '24 hours'
GROUP BY GROUPING SETS ((), (source), (kind));
