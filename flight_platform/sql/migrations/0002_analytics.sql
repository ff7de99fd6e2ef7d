-- What analysts see: views with the documented names and units, and functions that prune.
--
-- Ordinary views, read with their owner's rights: an analyst needs no right on the tables below. No security_barrier:
-- no row is hidden from anybody, and a barrier would keep analysts' own conditions from reaching the partitions.
-- The functions are plain SQL without SET, so that the planner inlines them and prunes through them.

CREATE SCHEMA analytics;

COMMENT ON SCHEMA analytics IS 'What analysts read: documented names and units, UTC; unknown is NULL, a zero is a real zero';

CREATE FUNCTION analytics.icao24_text(address bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN address & 16777216 <> 0 THEN '~' ELSE '' END || lpad(to_hex(address & 16777215), 6, '0');

COMMENT ON FUNCTION analytics.icao24_text IS 'Text of an address: 3c6444, or ~3c6444 where bit 24 says that it is no ICAO address';

CREATE FUNCTION analytics.flight_id_text(flight_key bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN flight_key & 72057594037927936 <> 0 THEN '~' ELSE '' END
    || lpad(to_hex(flight_key >> 32 & 16777215), 6, '0') || '-' || lpad(to_hex(flight_key & 4294967295), 8, '0');

COMMENT ON FUNCTION analytics.flight_id_text IS 'Text of a flight key: 3c6444-67a1b2c3; the inverse of flight_key()';

CREATE FUNCTION analytics.flight_key(flight_id text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN flight_id ~ '^~?[0-9a-f]{6}-[0-9a-f]{8}$' THEN
        ('x' || CASE WHEN left(flight_id, 1) = '~' THEN '01' ELSE '00' END
            || replace(ltrim(flight_id, '~'), '-', ''))::bit(64)::bigint
END;

COMMENT ON FUNCTION analytics.flight_key IS 'Number of a flight id, the key that the index knows; NULL where the text is no flight id';

CREATE FUNCTION analytics.flight_first_seen(flight_key bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_timestamp((flight_key & 4294967295)::double precision);

COMMENT ON FUNCTION analytics.flight_first_seen IS 'The second at which a flight was first seen, as its key says';

CREATE FUNCTION analytics.emergency_text(emergency smallint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY['none', 'general', 'medical', 'minimum_fuel', 'no_radio', 'unlawful', 'downed', 'reserved'])[emergency];

COMMENT ON FUNCTION analytics.emergency_text IS 'Text of a number of flight.v1.Emergency; NULL for one that only a newer writer knows';

CREATE FUNCTION analytics.kind_text(kind smallint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY['adsb', 'mlat', 'tisb', 'adsr', 'adsc', 'mode_s', 'flarm', 'asterix', 'other'])[kind];

COMMENT ON FUNCTION analytics.kind_text IS 'Text of a number of flight.v1.Kind; NULL for one that only a newer writer knows';

-- The constants of date_bin stand here exactly as in the CHECK of each leaf (partitions.py): that is how a condition on
-- `hour` excludes leaves. Divisions by a power of ten are the inverse of how the integers were made.
CREATE VIEW analytics.positions AS
SELECT
    analytics.flight_id_text(p.flight_id) AS flight_id,
    analytics.icao24_text(p.flight_id >> 32) AS icao24,
    p.time,
    p.received_at,
    p.latitude_e7 / 1e7::double precision AS latitude,
    p.longitude_e7 / 1e7::double precision AS longitude,
    p.altitude_ft,
    p.geometric_altitude_ft,
    p.on_ground,
    p.ground_speed_dkt / 10::double precision AS ground_speed_kt,
    p.track_ddeg / 10::double precision AS track_deg,
    p.vertical_rate_fpm,
    p.callsign,
    p.squawk,
    analytics.emergency_text(p.emergency) AS emergency,
    analytics.kind_text(p.kind) AS kind,
    p.source,
    date_bin(interval '1 hour', p.time, timestamptz 'epoch') AS hour,
    p.flight_id AS flight_key
FROM history.positions AS p;

COMMENT ON VIEW analytics.positions IS
    'Every position report in history, one row each. Ask with a constant range of time or hour (both prune); for one flight use track(), or flight_key with a range of time';
COMMENT ON COLUMN analytics.positions.flight_id IS 'The flight, as in 3c6444-67a1b2c3: address, and Unix second of its first report in hex. For reading: a condition on it reads every row, one on flight_key does not';
COMMENT ON COLUMN analytics.positions.icao24 IS 'ICAO 24-bit address, six hex digits; a leading ~ where it is no ICAO address';
COMMENT ON COLUMN analytics.positions.time IS 'When the position was true, by the source''s clock; prunes';
COMMENT ON COLUMN analytics.positions.received_at IS 'When the feed took the report';
COMMENT ON COLUMN analytics.positions.latitude IS 'Degrees WGS 84, north positive';
COMMENT ON COLUMN analytics.positions.longitude IS 'Degrees WGS 84, east positive';
COMMENT ON COLUMN analytics.positions.altitude_ft IS 'Barometric altitude, feet';
COMMENT ON COLUMN analytics.positions.geometric_altitude_ft IS 'Height above the WGS 84 ellipsoid, feet';
COMMENT ON COLUMN analytics.positions.on_ground IS 'Whether the aircraft reports itself on the ground';
COMMENT ON COLUMN analytics.positions.ground_speed_kt IS 'Speed over ground, knots';
COMMENT ON COLUMN analytics.positions.track_deg IS 'Direction over ground, degrees from true north';
COMMENT ON COLUMN analytics.positions.vertical_rate_fpm IS 'Climb (positive) or descent, feet a minute';
COMMENT ON COLUMN analytics.positions.callsign IS 'Flight identification without padding';
COMMENT ON COLUMN analytics.positions.squawk IS 'Mode A code, four octal digits';
COMMENT ON COLUMN analytics.positions.emergency IS 'Declared emergency: none, general, medical, minimum_fuel, no_radio, unlawful, downed, reserved';
COMMENT ON COLUMN analytics.positions.kind IS 'How the position came about: adsb, mlat, tisb, adsr, adsc, mode_s, flarm, asterix, other';
COMMENT ON COLUMN analytics.positions.source IS 'Configured name of the feed';
COMMENT ON COLUMN analytics.positions.hour IS 'Start of the hour of time, UTC; prunes where it is compared with a constant';
COMMENT ON COLUMN analytics.positions.flight_key IS 'flight_id as a number: the key that the index knows';

CREATE FUNCTION analytics.positions_between(from_time timestamptz, to_time timestamptz)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.* FROM analytics.positions AS p WHERE p.time >= from_time AND p.time < to_time;
END;

COMMENT ON FUNCTION analytics.positions_between IS 'The positions of a stretch of time, its end left out; reads only the hours that it touches';

-- Where in time to look: a flight lasts 36 hours (129,600 s) at most, and a report up to 5 s late to its own birth belongs
-- to it. In seconds, since adding an interval to a timestamptz is not immutable and would prune only when it is run.
CREATE FUNCTION analytics.track(flight_id text)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.*
    FROM analytics.positions AS p
    WHERE p.flight_key = analytics.flight_key(track.flight_id)
        AND p.time >= to_timestamp((analytics.flight_key(track.flight_id) & 4294967295)::double precision - 5)
        AND p.time < to_timestamp((analytics.flight_key(track.flight_id) & 4294967295)::double precision + 129600);
END;

COMMENT ON FUNCTION analytics.track IS 'The positions of one flight, as in SELECT * FROM track(''3c6444-67a1b2c3'') ORDER BY time; by the primary key, in the hours that the id implies';

CREATE VIEW analytics.flights AS
SELECT
    analytics.flight_id_text(p.flight_id) AS flight_id,
    analytics.icao24_text(p.flight_id >> 32) AS icao24,
    (array_agg(p.callsign ORDER BY p.time DESC) FILTER (WHERE p.callsign IS NOT NULL))[1] AS callsign,
    min(p.time) AS first_time,
    max(p.time) AS last_time,
    count(*) AS positions,
    max(p.altitude_ft) AS max_altitude_ft,
    max(p.ground_speed_dkt) / 10::double precision AS max_ground_speed_kt,
    p.flight_id AS flight_key
FROM history.positions AS p
GROUP BY p.flight_id;

COMMENT ON VIEW analytics.flights IS 'One row a flight, made from its positions when it is asked for: name a flight_key, or expect to read all of history';
COMMENT ON COLUMN analytics.flights.flight_id IS 'The flight, as in 3c6444-67a1b2c3';
COMMENT ON COLUMN analytics.flights.icao24 IS 'ICAO 24-bit address, six hex digits; a leading ~ where it is no ICAO address';
COMMENT ON COLUMN analytics.flights.callsign IS 'The last callsign that it told';
COMMENT ON COLUMN analytics.flights.first_time IS 'Time of its first position';
COMMENT ON COLUMN analytics.flights.last_time IS 'Time of its last position';
COMMENT ON COLUMN analytics.flights.positions IS 'Number of its positions';
COMMENT ON COLUMN analytics.flights.max_altitude_ft IS 'Greatest barometric altitude, feet';
COMMENT ON COLUMN analytics.flights.max_ground_speed_kt IS 'Greatest speed over ground, knots';
COMMENT ON COLUMN analytics.flights.flight_key IS 'flight_id as a number: the key that the index knows';

CREATE VIEW analytics.airports AS
SELECT icao, iata, name, city, country, latitude, longitude, elevation_ft FROM reference.airports;

COMMENT ON VIEW analytics.airports IS 'Airports';
COMMENT ON COLUMN analytics.airports.icao IS 'ICAO location indicator';
COMMENT ON COLUMN analytics.airports.iata IS 'IATA code';
COMMENT ON COLUMN analytics.airports.name IS 'Name';
COMMENT ON COLUMN analytics.airports.city IS 'City that it serves';
COMMENT ON COLUMN analytics.airports.country IS 'Country, ISO 3166-1 alpha-2';
COMMENT ON COLUMN analytics.airports.latitude IS 'Degrees WGS 84, north positive';
COMMENT ON COLUMN analytics.airports.longitude IS 'Degrees WGS 84, east positive';
COMMENT ON COLUMN analytics.airports.elevation_ft IS 'Elevation, feet above mean sea level';

CREATE VIEW analytics.aircraft AS
SELECT icao24, registration, type_code, type_name, operator FROM reference.aircraft;

COMMENT ON VIEW analytics.aircraft IS 'Aircraft by address';
COMMENT ON COLUMN analytics.aircraft.icao24 IS 'ICAO 24-bit address, six hex digits';
COMMENT ON COLUMN analytics.aircraft.registration IS 'Registration, as painted on the aircraft';
COMMENT ON COLUMN analytics.aircraft.type_code IS 'ICAO type designator (Doc 8643)';
COMMENT ON COLUMN analytics.aircraft.type_name IS 'Name of the type';
COMMENT ON COLUMN analytics.aircraft.operator IS 'Operator';

CREATE VIEW analytics.gaps AS
SELECT gap_id, hop, source, from_time, to_time, reason, opened_at, filled_at FROM ops.gaps;

COMMENT ON VIEW analytics.gaps IS 'Stretches of time for which data are missing: an empty sky there is not an empty sky';
COMMENT ON COLUMN analytics.gaps.gap_id IS 'Number of the gap';
COMMENT ON COLUMN analytics.gaps.hop IS 'The hop that lost the data';
COMMENT ON COLUMN analytics.gaps.source IS 'Name of the source, where it is about one';
COMMENT ON COLUMN analytics.gaps.from_time IS 'Event time at which the data end';
COMMENT ON COLUMN analytics.gaps.to_time IS 'Event time at which they begin again; unset while the gap is open';
COMMENT ON COLUMN analytics.gaps.reason IS 'Why they are missing';
COMMENT ON COLUMN analytics.gaps.opened_at IS 'When the gap was noticed';
COMMENT ON COLUMN analytics.gaps.filled_at IS 'When a backfill brought the data after all';

CREATE VIEW analytics.coverage AS
SELECT
    make_timestamptz(
        substr(leaf.relname, 11, 4)::integer, substr(leaf.relname, 15, 2)::integer,
        substr(leaf.relname, 17, 2)::integer, substr(leaf.relname, 19, 2)::integer, 0, 0, 'UTC'
    ) AS hour,
    leaf.relname::text AS leaf,
    greatest(pg_stat_get_live_tuples(leaf.oid), leaf.reltuples::bigint, 0) AS estimated_rows,
    pg_total_relation_size(leaf.oid) AS bytes,
    'raw'::text AS state
FROM pg_inherits
INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
WHERE pg_inherits.inhparent = 'history.positions'::regclass AND leaf.relname ~ '^positions_[0-9]{10}$';

COMMENT ON VIEW analytics.coverage IS 'The hours that history has, those made ahead included';
COMMENT ON COLUMN analytics.coverage.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN analytics.coverage.leaf IS 'Partition that holds it';
COMMENT ON COLUMN analytics.coverage.estimated_rows IS 'Number of positions, as the server estimates it: may trail by a second, or more after a crash';
COMMENT ON COLUMN analytics.coverage.bytes IS 'Size on disk with its index, bytes';
COMMENT ON COLUMN analytics.coverage.state IS 'How it is stored: raw';

CREATE VIEW analytics.ingest_ledger AS
SELECT
    topic, kafka_partition, from_offset, to_offset, written_at, records, rows, repeats, quarantined, late, first_time,
    last_time
FROM ops.ledger;

COMMENT ON VIEW analytics.ingest_ledger IS 'What each batch wrote, per Kafka partition: the ranges of a partition tile without hole or overlap';
COMMENT ON COLUMN analytics.ingest_ledger.topic IS 'Kafka topic';
COMMENT ON COLUMN analytics.ingest_ledger.kafka_partition IS 'Number of the Kafka partition';
COMMENT ON COLUMN analytics.ingest_ledger.from_offset IS 'First offset of the range';
COMMENT ON COLUMN analytics.ingest_ledger.to_offset IS 'Offset after the last of the range';
COMMENT ON COLUMN analytics.ingest_ledger.written_at IS 'When the batch was written';
COMMENT ON COLUMN analytics.ingest_ledger.records IS 'Records in the range: rows + repeats + quarantined';
COMMENT ON COLUMN analytics.ingest_ledger.rows IS 'Rows written';
COMMENT ON COLUMN analytics.ingest_ledger.repeats IS 'Records whose flight and time were there already';
COMMENT ON COLUMN analytics.ingest_ledger.quarantined IS 'Records that were set aside';
COMMENT ON COLUMN analytics.ingest_ledger.late IS 'Rows whose hour was closed already (part of rows)';
COMMENT ON COLUMN analytics.ingest_ledger.first_time IS 'Oldest event time of the rows';
COMMENT ON COLUMN analytics.ingest_ledger.last_time IS 'Newest event time of the rows';
