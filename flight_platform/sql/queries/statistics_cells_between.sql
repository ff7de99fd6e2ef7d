-- Where aircraft were seen in a stretch of time, by any source.
SELECT latitude, longitude, sum(reports)::bigint AS reports
FROM history.statistics_cells
WHERE hour >= %(from_time)s AND hour < %(to_time)s
GROUP BY cell, latitude, longitude;
