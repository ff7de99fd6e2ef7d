-- The tables of the data plane: history, and what the processes leave about themselves.

CREATE SCHEMA history;
CREATE SCHEMA IF NOT EXISTS ops; -- the migrations' own table stands there already
CREATE SCHEMA reference;

COMMENT ON SCHEMA history IS 'Where every aircraft was: one row a position, partitioned by the hour';
COMMENT ON SCHEMA ops IS 'How the platform is: offsets, ledger, heartbeats, incidents';
COMMENT ON SCHEMA reference IS 'What changes slowly: airports, aircraft';

-- No default partition, on purpose: with one, every ATTACH scans it and blocks on a COPY that touched it.
-- Columns stand in order of width, so that no row pays for alignment. Scaled integers carry their step in the name.
CREATE TABLE history.positions (
    flight_id bigint NOT NULL,
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    latitude_e7 integer NOT NULL,
    longitude_e7 integer NOT NULL,
    altitude_ft integer,
    geometric_altitude_ft integer,
    vertical_rate_fpm integer,
    ground_speed_dkt smallint,
    track_ddeg smallint,
    emergency smallint,
    kind smallint,
    on_ground boolean,
    callsign text COLLATE "C",
    squawk text COLLATE "C",
    source text COLLATE "C",
    PRIMARY KEY (flight_id, time)
) PARTITION BY RANGE (time);

COMMENT ON TABLE history.positions IS 'Position reports as tracked; one leaf an hour, named positions_YYYYMMDDHH (UTC)';
COMMENT ON COLUMN history.positions.flight_id IS '(address << 32) | Unix second of the first report; bit 24 of the address: not ICAO';
COMMENT ON COLUMN history.positions.time IS 'When the position was true, by the source''s clock';
COMMENT ON COLUMN history.positions.received_at IS 'When the feed took the report';
COMMENT ON COLUMN history.positions.latitude_e7 IS 'Latitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.positions.longitude_e7 IS 'Longitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.positions.altitude_ft IS 'Barometric altitude, feet';
COMMENT ON COLUMN history.positions.geometric_altitude_ft IS 'Height above the WGS 84 ellipsoid, feet';
COMMENT ON COLUMN history.positions.vertical_rate_fpm IS 'Climb or descent, feet a minute';
COMMENT ON COLUMN history.positions.ground_speed_dkt IS 'Speed over ground, tenths of a knot';
COMMENT ON COLUMN history.positions.track_ddeg IS 'Direction over ground, tenths of a degree from true north';
COMMENT ON COLUMN history.positions.emergency IS 'Number of flight.v1.Emergency';
COMMENT ON COLUMN history.positions.kind IS 'Number of flight.v1.Kind';
COMMENT ON COLUMN history.positions.on_ground IS 'Whether the aircraft reports itself on the ground';
COMMENT ON COLUMN history.positions.callsign IS 'Flight identification without padding';
COMMENT ON COLUMN history.positions.squawk IS 'Mode A code, four octal digits';
COMMENT ON COLUMN history.positions.source IS 'Configured name of the feed';

-- Where history stands in each Kafka partition; moves in the transaction that writes the rows.
CREATE TABLE ops.offsets (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (topic, kafka_partition)
) WITH (fillfactor = 50); -- updated with each batch: room for heap-only updates

COMMENT ON TABLE ops.offsets IS 'Where history stands in each Kafka partition; moves in the transaction that writes the rows';
COMMENT ON COLUMN ops.offsets.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.offsets.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.offsets.next_offset IS 'First offset that history has not written yet';

-- One row a batch and partition. The ranges of a partition tile without hole or overlap; a range may hold fewer records
-- than offsets, since Kafka's transaction markers take offsets too.
CREATE TABLE ops.ledger (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    records integer NOT NULL,
    rows integer NOT NULL,
    repeats integer NOT NULL,
    quarantined integer NOT NULL,
    late integer NOT NULL,
    first_time timestamptz,
    last_time timestamptz,
    PRIMARY KEY (topic, kafka_partition, from_offset),
    CHECK (to_offset > from_offset),
    CHECK (records <= to_offset - from_offset),
    CHECK (records = rows + repeats + quarantined),
    CHECK (late <= rows)
);

COMMENT ON TABLE ops.ledger IS 'What each batch wrote, per Kafka partition; the ranges of a partition tile without hole or overlap';
COMMENT ON COLUMN ops.ledger.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.ledger.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.ledger.from_offset IS 'First offset of the range';
COMMENT ON COLUMN ops.ledger.to_offset IS 'Offset after the last of the range: the consumer''s position';
COMMENT ON COLUMN ops.ledger.written_at IS 'When the batch was written';
COMMENT ON COLUMN ops.ledger.records IS 'Records in the range: rows + repeats + quarantined';
COMMENT ON COLUMN ops.ledger.rows IS 'Rows written to history.positions';
COMMENT ON COLUMN ops.ledger.repeats IS 'Records whose (flight_id, time) was there already';
COMMENT ON COLUMN ops.ledger.quarantined IS 'Records in ops.quarantine';
COMMENT ON COLUMN ops.ledger.late IS 'Rows whose hour was closed already (part of rows)';
COMMENT ON COLUMN ops.ledger.first_time IS 'Oldest event time of the rows';
COMMENT ON COLUMN ops.ledger.last_time IS 'Newest event time of the rows';

-- What history could not take, whole, with the reason.
CREATE TABLE ops.quarantine (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    detail text NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (topic, kafka_partition, kafka_offset)
);

COMMENT ON TABLE ops.quarantine IS 'Records that history could not take, whole, with the reason';
COMMENT ON COLUMN ops.quarantine.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.quarantine.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.quarantine.kafka_offset IS 'Offset of the record';
COMMENT ON COLUMN ops.quarantine.quarantined_at IS 'When it was set aside';
COMMENT ON COLUMN ops.quarantine.reason IS 'Why: undecodable or no_partition';
COMMENT ON COLUMN ops.quarantine.detail IS 'What exactly was wrong';
COMMENT ON COLUMN ops.quarantine.record IS 'The record, its original bytes';

-- The newest word of each always-on process, renewed each second.
CREATE TABLE ops.heartbeats (
    stage text NOT NULL,
    instance text NOT NULL,
    source text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    watermark timestamptz,
    source_clock timestamptz,
    lag_records bigint,
    counters jsonb NOT NULL DEFAULT '{}',
    rss_bytes bigint NOT NULL,
    metrics_port integer,
    note text NOT NULL DEFAULT '',
    pid integer NOT NULL,
    PRIMARY KEY (stage, instance, source)
) WITH (fillfactor = 50); -- updated each second: room for heap-only updates

COMMENT ON TABLE ops.heartbeats IS 'The newest word of each always-on process, renewed each second';
COMMENT ON COLUMN ops.heartbeats.stage IS 'Hop of the data plane: feed, track, live or history';
COMMENT ON COLUMN ops.heartbeats.instance IS 'This process among its like';
COMMENT ON COLUMN ops.heartbeats.source IS 'Name of the source, for a feed';
COMMENT ON COLUMN ops.heartbeats.started_at IS 'When the process started';
COMMENT ON COLUMN ops.heartbeats.beat_at IS 'When the row was renewed';
COMMENT ON COLUMN ops.heartbeats.watermark IS 'Newest event time that the process has passed on';
COMMENT ON COLUMN ops.heartbeats.source_clock IS 'Newest time that the source itself has told';
COMMENT ON COLUMN ops.heartbeats.lag_records IS 'Records that wait for it in Kafka';
COMMENT ON COLUMN ops.heartbeats.counters IS 'Totals since its start, by outcome';
COMMENT ON COLUMN ops.heartbeats.rss_bytes IS 'Resident memory of the process, bytes';
COMMENT ON COLUMN ops.heartbeats.metrics_port IS 'Port of its /metrics, where it serves them';
COMMENT ON COLUMN ops.heartbeats.note IS 'What it is doing, in a few words';
COMMENT ON COLUMN ops.heartbeats.pid IS 'Process id on its machine';

-- What is wrong now and what was: one row from the first sign to the all-clear.
CREATE TABLE ops.incidents (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    hop text NOT NULL,
    source text NOT NULL DEFAULT '',
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    summary text NOT NULL,
    since timestamptz NOT NULL,
    last_good timestamptz,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    detail jsonb NOT NULL DEFAULT '{}',
    CHECK (closed_at >= opened_at)
);

-- At most one open incident a key: whoever inserts it sends the alert.
CREATE UNIQUE INDEX incidents_open ON ops.incidents (key) WHERE closed_at IS NULL;

COMMENT ON TABLE ops.incidents IS 'What is wrong now and what was: one row from the first sign to the all-clear';
COMMENT ON COLUMN ops.incidents.incident_id IS 'Number of the incident';
COMMENT ON COLUMN ops.incidents.key IS 'What it is about, as in stall:source:paris; at most one open incident has it';
COMMENT ON COLUMN ops.incidents.hop IS 'The hop that stopped: source, feed, track, live or history';
COMMENT ON COLUMN ops.incidents.source IS 'Name of the source, where it is about one';
COMMENT ON COLUMN ops.incidents.severity IS 'info, warning or critical';
COMMENT ON COLUMN ops.incidents.summary IS 'One sentence for whoever is called';
COMMENT ON COLUMN ops.incidents.since IS 'When it began';
COMMENT ON COLUMN ops.incidents.last_good IS 'Newest event time that the hop had passed on before';
COMMENT ON COLUMN ops.incidents.opened_at IS 'When it was noticed';
COMMENT ON COLUMN ops.incidents.closed_at IS 'When it was over; unset while it is open';
COMMENT ON COLUMN ops.incidents.detail IS 'What else is known of it';

-- Data lost for good: stretches of time that a source could not give.
CREATE TABLE ops.gaps (
    gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint REFERENCES ops.incidents,
    hop text NOT NULL,
    source text NOT NULL DEFAULT '',
    from_time timestamptz NOT NULL,
    to_time timestamptz,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    filled_at timestamptz,
    CHECK (to_time >= from_time)
);

COMMENT ON TABLE ops.gaps IS 'Data lost for good: stretches of time that a source could not give';
COMMENT ON COLUMN ops.gaps.gap_id IS 'Number of the gap';
COMMENT ON COLUMN ops.gaps.incident_id IS 'The incident that it belongs to';
COMMENT ON COLUMN ops.gaps.hop IS 'The hop that lost the data';
COMMENT ON COLUMN ops.gaps.source IS 'Name of the source, where it is about one';
COMMENT ON COLUMN ops.gaps.from_time IS 'Event time at which the data end';
COMMENT ON COLUMN ops.gaps.to_time IS 'Event time at which they begin again; unset while the gap is open';
COMMENT ON COLUMN ops.gaps.reason IS 'Why they are missing';
COMMENT ON COLUMN ops.gaps.opened_at IS 'When the gap was noticed';
COMMENT ON COLUMN ops.gaps.filled_at IS 'When a backfill brought the data after all';

CREATE TABLE reference.airports (
    icao text PRIMARY KEY,
    iata text,
    name text NOT NULL,
    city text,
    country text,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    elevation_ft integer
);

COMMENT ON TABLE reference.airports IS 'Airports, from airportsdata';
COMMENT ON COLUMN reference.airports.icao IS 'ICAO location indicator';
COMMENT ON COLUMN reference.airports.iata IS 'IATA code';
COMMENT ON COLUMN reference.airports.name IS 'Name';
COMMENT ON COLUMN reference.airports.city IS 'City that it serves';
COMMENT ON COLUMN reference.airports.country IS 'Country, ISO 3166-1 alpha-2';
COMMENT ON COLUMN reference.airports.latitude IS 'Degrees WGS 84, north positive';
COMMENT ON COLUMN reference.airports.longitude IS 'Degrees WGS 84, east positive';
COMMENT ON COLUMN reference.airports.elevation_ft IS 'Elevation, feet above mean sea level';

CREATE TABLE reference.aircraft (
    icao24 text PRIMARY KEY,
    registration text,
    type_code text,
    type_name text,
    operator text
);

COMMENT ON TABLE reference.aircraft IS 'Aircraft by address';
COMMENT ON COLUMN reference.aircraft.icao24 IS 'ICAO 24-bit address, six hex digits';
COMMENT ON COLUMN reference.aircraft.registration IS 'Registration, as painted on the aircraft';
COMMENT ON COLUMN reference.aircraft.type_code IS 'ICAO type designator (Doc 8643)';
COMMENT ON COLUMN reference.aircraft.type_name IS 'Name of the type';
COMMENT ON COLUMN reference.aircraft.operator IS 'Operator';
