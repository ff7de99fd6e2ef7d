-- The hours of a day, slice by slice.
SELECT slice, value, reports, busiest_second_reports, closed_late_reports, latency_sketch, lateness_sketch
FROM history.statistics
WHERE
    period = 'hour'
    AND period_start >= %(day)s::timestamptz AND period_start < %(day)s::timestamptz + interval '24 hours'
ORDER BY slice, value, period_start;
