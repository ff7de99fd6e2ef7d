-- Quality: what was judged of each hour, who accepted what, and the books that prove an hour complete.

-- One row a judgement; the newest of an hour is the one that counts, the others are its story.
CREATE TABLE ops.verdicts (
    verdict_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour timestamptz NOT NULL,
    judged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    passed boolean NOT NULL,
    presence text NOT NULL CHECK (presence IN ('filled', 'quiet', 'empty', 'missing')),
    rows bigint NOT NULL CHECK (rows >= 0),
    failures jsonb NOT NULL DEFAULT '[]',
    reported boolean NOT NULL DEFAULT false
);

CREATE INDEX verdicts_hour ON ops.verdicts (hour, verdict_id);

COMMENT ON TABLE ops.verdicts IS 'Every judgement of a closed hour; the newest of an hour counts, the others are its story';
COMMENT ON COLUMN ops.verdicts.verdict_id IS 'Number of the judgement';
COMMENT ON COLUMN ops.verdicts.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.verdicts.judged_at IS 'When it was judged';
COMMENT ON COLUMN ops.verdicts.passed IS 'Whether the hour was as expected';
COMMENT ON COLUMN ops.verdicts.presence IS 'filled: it has rows; quiet: none, as usual or as nothing is known of usual; empty: none, though somebody listened and there usually are; missing: none, and nobody is known to have listened';
COMMENT ON COLUMN ops.verdicts.rows IS 'Positions that it held';
COMMENT ON COLUMN ops.verdicts.reported IS 'Whether the checks in Dagster show it: one from the command line is reported to them later';
COMMENT ON COLUMN ops.verdicts.failures IS 'What was not as expected: objects with check, name, observed, unexpected, sample';

-- An acceptance is of what was known to be wrong: where another failure shows up later, it lapses.
CREATE TABLE ops.acceptances (
    acceptance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour timestamptz NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_by text NOT NULL CHECK (accepted_by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    failures text[] NOT NULL,
    lapsed_at timestamptz
);

CREATE INDEX acceptances_hour ON ops.acceptances (hour);

COMMENT ON TABLE ops.acceptances IS 'Hours that an operator accepted although they were not as expected, with the reason';
COMMENT ON COLUMN ops.acceptances.acceptance_id IS 'Number of the acceptance';
COMMENT ON COLUMN ops.acceptances.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.acceptances.accepted_at IS 'When it was accepted';
COMMENT ON COLUMN ops.acceptances.accepted_by IS 'Who accepted it';
COMMENT ON COLUMN ops.acceptances.reason IS 'Why';
COMMENT ON COLUMN ops.acceptances.failures IS 'Names of the failures that were known then';
COMMENT ON COLUMN ops.acceptances.lapsed_at IS 'When a later judgement found another failure or none: it no longer holds';

-- How many rows each event hour was given, by the Kafka partition that they came from. Moves in the transaction that
-- writes the rows, so the sum over the partitions is what the hour must hold. A partition has one writer (the fence of
-- ops.offsets), so nobody waits for a row here.
CREATE TABLE ops.hour_counts (
    hour timestamptz NOT NULL,
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    rows bigint NOT NULL CHECK (rows > 0),
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hour, topic, kafka_partition)
) WITH (fillfactor = 50); -- updated with each batch: room for heap-only updates

COMMENT ON TABLE ops.hour_counts IS 'Rows that each hour of event time was given, per Kafka partition; moves in the transaction that writes the rows';
COMMENT ON COLUMN ops.hour_counts.hour IS 'Start of the hour of event time, UTC';
COMMENT ON COLUMN ops.hour_counts.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.hour_counts.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.hour_counts.rows IS 'Rows written to this hour';
COMMENT ON COLUMN ops.hour_counts.written_at IS 'When the last of them was written';

-- Rows that were taken out on purpose: without this, an hour from which an aircraft was erased would look damaged.
CREATE TABLE ops.hour_erasures (
    hour timestamptz PRIMARY KEY,
    rows bigint NOT NULL CHECK (rows > 0),
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE ops.hour_erasures IS 'Rows that were erased from each hour on purpose (an aircraft that must be forgotten)';
COMMENT ON COLUMN ops.hour_erasures.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.hour_erasures.rows IS 'Rows that were erased from it, in all';
COMMENT ON COLUMN ops.hour_erasures.erased_at IS 'When the last of them was erased';

-- The ledger of a day has millions of rows at full rate; so what was found to tile is not walked again.
CREATE TABLE ops.ledger_marks (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    proved_from bigint NOT NULL,
    proved_to bigint NOT NULL,
    proved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, kafka_partition),
    CHECK (proved_to >= proved_from)
);

COMMENT ON TABLE ops.ledger_marks IS 'Up to where the ledger was walked; what does not tile before that is in ops.ledger_faults';
COMMENT ON COLUMN ops.ledger_marks.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.ledger_marks.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.ledger_marks.proved_from IS 'First offset of the ledger';
COMMENT ON COLUMN ops.ledger_marks.proved_to IS 'Offset up to which it was walked';
COMMENT ON COLUMN ops.ledger_marks.proved_at IS 'When';

CREATE TABLE ops.ledger_faults (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('hole', 'overlap')),
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, kafka_partition, from_offset, kind)
);

COMMENT ON TABLE ops.ledger_faults IS 'Where the ranges of the ledger do not tile: offsets that nobody wrote, or that two batches wrote';
COMMENT ON COLUMN ops.ledger_faults.topic IS 'Kafka topic';
COMMENT ON COLUMN ops.ledger_faults.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN ops.ledger_faults.from_offset IS 'First offset of the fault';
COMMENT ON COLUMN ops.ledger_faults.to_offset IS 'Offset after its last';
COMMENT ON COLUMN ops.ledger_faults.kind IS 'hole or overlap';
COMMENT ON COLUMN ops.ledger_faults.from_time IS 'When the batch before it was written: the records are of about then, or later';
COMMENT ON COLUMN ops.ledger_faults.to_time IS 'When the batch after it was written';
COMMENT ON COLUMN ops.ledger_faults.found_at IS 'When it was found';

-- The last proof of each hour: what Kafka forgets after two days is known here for as long as the hour is.
CREATE TABLE ops.hour_proofs (
    hour timestamptz PRIMARY KEY,
    proved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    complete boolean NOT NULL,
    as_of timestamptz,
    rows bigint NOT NULL,
    counted bigint,
    missing text[] NOT NULL DEFAULT '{}'
);

COMMENT ON TABLE ops.hour_proofs IS 'The last proof of each hour: complete or, if not, what is missing';
COMMENT ON COLUMN ops.hour_proofs.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.hour_proofs.proved_at IS 'When it was proved';
COMMENT ON COLUMN ops.hour_proofs.complete IS 'Whether all that Kafka had taken until as_of is there, once each';
COMMENT ON COLUMN ops.hour_proofs.as_of IS 'Every report that Kafka took before is judged and stored; unset where Kafka did not answer';
COMMENT ON COLUMN ops.hour_proofs.rows IS 'Positions that the hour holds: raw and chunks, or the archive where it was dropped';
COMMENT ON COLUMN ops.hour_proofs.counted IS 'Positions that it was given, less those erased; unset where no count was kept';
COMMENT ON COLUMN ops.hour_proofs.missing IS 'What keeps it from being complete, in sentences';

-- What the checks of flights look at: those that were derived in the last day, each made of all of its positions.
CREATE VIEW ops.judged_flights AS
SELECT
    f.flight_id,
    f.first_time,
    f.last_time,
    f.takeoff_time,
    f.landing_time,
    f.departure_airport,
    f.arrival_airport,
    f.callsign,
    f.distance_nm,
    f.average_ground_speed_kt,
    f.max_altitude_ft,
    f.positions,
    extract(epoch FROM f.last_time - f.first_time)::double precision / 3600 AS duration_h,
    extract(epoch FROM f.landing_time - f.takeoff_time)::double precision / 3600 AS airborne_h,
    CASE
        WHEN f.last_time > f.first_time + interval '10 minutes'
            THEN f.distance_nm / (extract(epoch FROM f.last_time - f.first_time)::double precision / 3600)
    END AS speed_by_distance_kt
FROM analytics.flights AS f
INNER JOIN history.flights AS made ON made.flight_id = f.flight_key
WHERE made.derived_at > now() - interval '1 day';

COMMENT ON VIEW ops.judged_flights IS 'Flights that were derived in the last day, as the checks look at them';
COMMENT ON COLUMN ops.judged_flights.flight_id IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.first_time IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.last_time IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.takeoff_time IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.landing_time IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.departure_airport IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.arrival_airport IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.callsign IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.distance_nm IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.average_ground_speed_kt IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.max_altitude_ft IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.positions IS 'As in analytics.flights';
COMMENT ON COLUMN ops.judged_flights.duration_h IS 'From the first to the last report, hours';
COMMENT ON COLUMN ops.judged_flights.airborne_h IS 'From take-off to landing, hours; unset where one of them is';
COMMENT ON COLUMN ops.judged_flights.speed_by_distance_kt IS 'Distance by duration, knots; unset for flights of less than ten minutes';

-- Whether anybody wrote in a stretch of wall-clock time. The ledger grows in this order, so a few kilobytes will do.
CREATE INDEX ledger_written_at ON ops.ledger USING brin (written_at) WITH (pages_per_range = 16, autosummarize = on);

-- Where an hour lies while it is judged: its rows as analysts see them, raw and chunks alike, with what can only be told by
-- comparing rows. One hour at a time, under a lock; unlogged, since it can be made again.
CREATE UNLOGGED TABLE ops.judged_hour (
    flight_id text,
    flight_key bigint,
    time timestamptz,
    received_at timestamptz,
    latitude double precision,
    longitude double precision,
    altitude_ft integer,
    geometric_altitude_ft integer,
    ground_speed_kt double precision,
    track_deg double precision,
    vertical_rate_fpm integer,
    callsign text,
    squawk text,
    source text,
    delay_s double precision,
    age_s double precision,
    backward_s double precision,
    implied_speed_kt double precision
);

COMMENT ON TABLE ops.judged_hour IS 'Where the rows of an hour lie while it is judged; empty at all other times';
COMMENT ON COLUMN ops.judged_hour.flight_id IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.flight_key IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.time IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.received_at IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.latitude IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.longitude IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.altitude_ft IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.geometric_altitude_ft IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.ground_speed_kt IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.track_deg IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.vertical_rate_fpm IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.callsign IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.squawk IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.source IS 'As in analytics.positions';
COMMENT ON COLUMN ops.judged_hour.delay_s IS 'received_at less time, seconds';
COMMENT ON COLUMN ops.judged_hour.age_s IS 'time less the birth of the flight, seconds';
COMMENT ON COLUMN ops.judged_hour.backward_s IS 'How far time ran backwards: newest time received before for this flight, less this one, seconds';
COMMENT ON COLUMN ops.judged_hour.implied_speed_kt IS 'Speed from the report before of this flight: distance less the error of positions, by time; knots';
