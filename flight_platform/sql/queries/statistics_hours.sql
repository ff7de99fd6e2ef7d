-- The figures of all reports, hour by hour.
SELECT period_start AS hour, reports, aircraft, flights, busiest_second_reports, latency_p99_ms, lateness_p99_ms
FROM history.statistics
WHERE period = 'hour' AND slice = 'all' AND period_start >= %(from_time)s AND period_start < %(to_time)s
ORDER BY period_start;
