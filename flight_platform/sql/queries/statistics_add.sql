INSERT INTO history.statistics (
    period, period_start, slice, value, reports, aircraft, flights, busiest_second_reports, closed_late_reports,
    latency_p50_ms, latency_p95_ms, latency_p99_ms, lateness_p50_ms, lateness_p95_ms, lateness_p99_ms,
    minute_reports, latency_sketch, lateness_sketch
) VALUES (
    %(period)s, %(period_start)s, %(slice)s, %(value)s, %(reports)s, %(aircraft)s, %(flights)s,
    %(busiest_second_reports)s, %(closed_late_reports)s, %(latency_p50_ms)s, %(latency_p95_ms)s, %(latency_p99_ms)s,
    %(lateness_p50_ms)s, %(lateness_p95_ms)s, %(lateness_p99_ms)s, %(minute_reports)s, %(latency_sketch)s,
    %(lateness_sketch)s
);
