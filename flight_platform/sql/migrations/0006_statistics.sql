-- Statistics of history by hour and by day: what a chart reads without touching a position.

-- An hour is written from its positions, a day from its hours. `slice` says of what a row tells: of everything ('all'),
-- of one source or of one kind; `value` is its name, NULL where the reports do not say. Aircraft and flights of a day
-- are no sum of its hours (one aircraft flies in many), so each day counts history.statistics_flights; percentiles are no
-- mean of the hours' percentiles, so each row keeps its sketches, and those of a day are the sums of its hours'.
CREATE TABLE history.statistics (
    period text NOT NULL CHECK (period IN ('hour', 'day')),
    period_start timestamptz NOT NULL,
    slice text NOT NULL CHECK (slice IN ('all', 'source', 'kind')),
    value text COLLATE "C",
    reports bigint NOT NULL,
    aircraft integer NOT NULL,
    flights integer NOT NULL,
    busiest_second_reports integer NOT NULL,
    closed_late_reports bigint NOT NULL,
    latency_p50_ms bigint,
    latency_p95_ms bigint,
    latency_p99_ms bigint,
    lateness_p50_ms bigint,
    lateness_p95_ms bigint,
    lateness_p99_ms bigint,
    minute_reports integer[],
    latency_sketch bigint[] NOT NULL,
    lateness_sketch bigint[] NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE NULLS NOT DISTINCT (period, period_start, slice, value)
);

COMMENT ON TABLE history.statistics IS 'Reports, aircraft, flights, rates, latency and lateness by hour and day: of all, by source and by kind';
COMMENT ON COLUMN history.statistics.period IS 'hour or day (UTC)';
COMMENT ON COLUMN history.statistics.period_start IS 'Start of the period, by the time of the reports';
COMMENT ON COLUMN history.statistics.slice IS 'Of what the row tells: all, source or kind';
COMMENT ON COLUMN history.statistics.value IS 'Name of the source or kind; NULL for all, and for reports that do not say theirs';
COMMENT ON COLUMN history.statistics.reports IS 'Position reports';
COMMENT ON COLUMN history.statistics.aircraft IS 'Aircraft, by address';
COMMENT ON COLUMN history.statistics.flights IS 'Flights with at least one report';
COMMENT ON COLUMN history.statistics.busiest_second_reports IS 'Reports of the busiest second';
COMMENT ON COLUMN history.statistics.closed_late_reports IS 'Reports that were received after their hour had closed, ten minutes after its end';
COMMENT ON COLUMN history.statistics.latency_p50_ms IS 'Median of received_at - time, milliseconds, within 2 %; a source''s clock that is ahead counts as 0';
COMMENT ON COLUMN history.statistics.latency_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN history.statistics.latency_p99_ms IS '99th percentile of the same';
COMMENT ON COLUMN history.statistics.lateness_p50_ms IS 'Median of how far a report was behind the newest that its source had given before, milliseconds, within 2 %; 0 in order';
COMMENT ON COLUMN history.statistics.lateness_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN history.statistics.lateness_p99_ms IS '99th percentile of the same';
COMMENT ON COLUMN history.statistics.minute_reports IS 'Reports of each of the hour''s sixty minutes; NULL for a day';
COMMENT ON COLUMN history.statistics.latency_sketch IS 'Reports by logarithmic class of latency, from which a day''s percentiles are made (history/sketch.py)';
COMMENT ON COLUMN history.statistics.lateness_sketch IS 'The same of lateness';
COMMENT ON COLUMN history.statistics.computed_at IS 'When the row was written';

CREATE TABLE history.statistics_flights (
    hour timestamptz NOT NULL,
    flight_id bigint NOT NULL,
    kind text COLLATE "C",
    source text COLLATE "C",
    reports integer NOT NULL,
    UNIQUE NULLS NOT DISTINCT (hour, flight_id, kind, source)
);

CREATE INDEX statistics_flights_flight ON history.statistics_flights (flight_id); -- an aircraft that is to be forgotten

COMMENT ON TABLE history.statistics_flights IS 'Who was there in each hour, so that a day counts an aircraft once; removed after 90 days';
COMMENT ON COLUMN history.statistics_flights.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN history.statistics_flights.flight_id IS 'The flight';
COMMENT ON COLUMN history.statistics_flights.kind IS 'How its positions came about';
COMMENT ON COLUMN history.statistics_flights.source IS 'Who reported them';
COMMENT ON COLUMN history.statistics_flights.reports IS 'Position reports';

-- H3 at resolution 5: 253 km2 a cell, 9.9 km an edge. The centre is kept, since Postgres knows nothing of H3.
CREATE TABLE history.statistics_cells (
    hour timestamptz NOT NULL,
    cell bigint NOT NULL,
    reports integer NOT NULL,
    flights integer NOT NULL,
    lowest_altitude_ft integer,
    highest_altitude_ft integer,
    latitude real NOT NULL,
    longitude real NOT NULL,
    source text COLLATE "C",
    UNIQUE NULLS NOT DISTINCT (hour, cell, source)
);

COMMENT ON TABLE history.statistics_cells IS 'Where each source saw aircraft: reports by hour and H3 cell (resolution 5)';
COMMENT ON COLUMN history.statistics_cells.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN history.statistics_cells.cell IS 'H3 cell, as a number';
COMMENT ON COLUMN history.statistics_cells.reports IS 'Position reports within the cell';
COMMENT ON COLUMN history.statistics_cells.flights IS 'Flights with a report within the cell';
COMMENT ON COLUMN history.statistics_cells.lowest_altitude_ft IS 'Lowest barometric altitude of those not on the ground, feet: how far down the source sees there';
COMMENT ON COLUMN history.statistics_cells.highest_altitude_ft IS 'Highest barometric altitude of those not on the ground, feet';
COMMENT ON COLUMN history.statistics_cells.latitude IS 'Centre of the cell, degrees WGS 84';
COMMENT ON COLUMN history.statistics_cells.longitude IS 'Centre of the cell, degrees WGS 84';
COMMENT ON COLUMN history.statistics_cells.source IS 'Who reported the positions';

CREATE VIEW analytics.statistics AS
SELECT
    period,
    period_start,
    slice,
    value,
    reports,
    aircraft,
    flights,
    reports / CASE period WHEN 'hour' THEN 3600 ELSE 86400 END::double precision AS reports_per_second,
    busiest_second_reports,
    closed_late_reports,
    latency_p50_ms,
    latency_p95_ms,
    latency_p99_ms,
    lateness_p50_ms,
    lateness_p95_ms,
    lateness_p99_ms
FROM history.statistics;

COMMENT ON VIEW analytics.statistics IS
    'Closed hours and days in figures, as in SELECT period_start, value, reports FROM statistics WHERE period = ''hour'' AND slice = ''source''';
COMMENT ON COLUMN analytics.statistics.period IS 'hour or day (UTC)';
COMMENT ON COLUMN analytics.statistics.period_start IS 'Start of the period, by the time of the reports';
COMMENT ON COLUMN analytics.statistics.slice IS 'Of what the row tells: all, source or kind';
COMMENT ON COLUMN analytics.statistics.value IS 'Name of the source or kind; NULL for all, and for reports that do not say theirs';
COMMENT ON COLUMN analytics.statistics.reports IS 'Position reports';
COMMENT ON COLUMN analytics.statistics.aircraft IS 'Aircraft, by address';
COMMENT ON COLUMN analytics.statistics.flights IS 'Flights with at least one report';
COMMENT ON COLUMN analytics.statistics.reports_per_second IS 'Mean rate over the whole period';
COMMENT ON COLUMN analytics.statistics.busiest_second_reports IS 'Reports of the busiest second';
COMMENT ON COLUMN analytics.statistics.closed_late_reports IS 'Reports that were received after their hour had closed, ten minutes after its end';
COMMENT ON COLUMN analytics.statistics.latency_p50_ms IS 'Median of received_at - time, milliseconds, within 2 %; a source''s clock that is ahead counts as 0';
COMMENT ON COLUMN analytics.statistics.latency_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN analytics.statistics.latency_p99_ms IS '99th percentile of the same';
COMMENT ON COLUMN analytics.statistics.lateness_p50_ms IS 'Median of how far a report was behind the newest that its source had given before, milliseconds, within 2 %; 0 in order';
COMMENT ON COLUMN analytics.statistics.lateness_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN analytics.statistics.lateness_p99_ms IS '99th percentile of the same';

CREATE VIEW analytics.statistics_minutes AS
SELECT
    s.slice,
    s.value,
    s.period_start + (m.minute - 1) * interval '1 minute' AS minute,
    m.reports,
    m.reports / 60::double precision AS reports_per_second,
    s.period_start AS hour
FROM history.statistics AS s, unnest(s.minute_reports) WITH ORDINALITY AS m (reports, minute)
WHERE s.period = 'hour';

COMMENT ON VIEW analytics.statistics_minutes IS 'Message rates by the minute, for a chart; a condition on hour reads only its rows';
COMMENT ON COLUMN analytics.statistics_minutes.slice IS 'Of what the row tells: all, source or kind';
COMMENT ON COLUMN analytics.statistics_minutes.value IS 'Name of the source or kind; NULL for all, and for reports that do not say theirs';
COMMENT ON COLUMN analytics.statistics_minutes.minute IS 'Start of the minute, by the time of the reports';
COMMENT ON COLUMN analytics.statistics_minutes.reports IS 'Position reports; 0 is a minute without any';
COMMENT ON COLUMN analytics.statistics_minutes.reports_per_second IS 'Mean rate over the minute';
COMMENT ON COLUMN analytics.statistics_minutes.hour IS 'Start of the hour, UTC';

CREATE VIEW analytics.statistics_cells AS
SELECT
    hour, to_hex(cell) AS cell, source, latitude, longitude, reports, flights, lowest_altitude_ft, highest_altitude_ft
FROM history.statistics_cells;

COMMENT ON VIEW analytics.statistics_cells IS 'Coverage: where each source saw aircraft, and how far down, by hour and H3 cell';
COMMENT ON COLUMN analytics.statistics_cells.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN analytics.statistics_cells.cell IS 'H3 cell of resolution 5 (253 km2), as H3 writes it';
COMMENT ON COLUMN analytics.statistics_cells.source IS 'Who reported the positions';
COMMENT ON COLUMN analytics.statistics_cells.latitude IS 'Centre of the cell, degrees WGS 84';
COMMENT ON COLUMN analytics.statistics_cells.longitude IS 'Centre of the cell, degrees WGS 84';
COMMENT ON COLUMN analytics.statistics_cells.reports IS 'Position reports within the cell';
COMMENT ON COLUMN analytics.statistics_cells.flights IS 'Flights with a report within the cell';
COMMENT ON COLUMN analytics.statistics_cells.lowest_altitude_ft IS 'Lowest barometric altitude of those not on the ground, feet: how far down the source sees there';
COMMENT ON COLUMN analytics.statistics_cells.highest_altitude_ft IS 'Highest barometric altitude of those not on the ground, feet';
