-- The lifecycle of an hour: filled, closed, checked, compacted into chunks, archived by the day, dropped.

-- How far each hour has come. A row appears when the hour is first checked or compacted; what an hour has not come to
-- is NULL. The figures of chunks are those that the swap itself has written: archive and retention hold against them.
CREATE TABLE ops.hours (
    hour timestamptz PRIMARY KEY CHECK (date_bin(interval '1 hour', hour, timestamptz 'epoch') = hour),
    rows bigint CHECK (rows >= 0),
    closed_at timestamptz,
    checked_at timestamptz,
    passed boolean,
    accepted_at timestamptz,
    accepted_by text,
    accepted_reason text,
    compacted_at timestamptz,
    merged_at timestamptz,
    chunks integer CHECK (chunks >= 0),
    chunk_rows bigint CHECK (chunk_rows >= 0),
    chunk_checksum bigint,
    archived_at timestamptz,
    archive_rows bigint CHECK (archive_rows >= 0),
    archive_checksum bigint,
    archived_chunk_checksum bigint,
    dropped_at timestamptz,
    restored_at timestamptz
);

COMMENT ON TABLE ops.hours IS 'How far each hour of history has come: checked, compacted, archived, dropped; what it has not come to is unset';
COMMENT ON COLUMN ops.hours.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN ops.hours.rows IS 'Positions that it held when it was last checked or compacted';
COMMENT ON COLUMN ops.hours.closed_at IS 'When it was first found closed: ten minutes after its end, or later';
COMMENT ON COLUMN ops.hours.checked_at IS 'When it was last checked';
COMMENT ON COLUMN ops.hours.passed IS 'Whether it was as expected then';
COMMENT ON COLUMN ops.hours.accepted_at IS 'When an operator accepted it although it was not';
COMMENT ON COLUMN ops.hours.accepted_by IS 'Who accepted it';
COMMENT ON COLUMN ops.hours.accepted_reason IS 'Why';
COMMENT ON COLUMN ops.hours.compacted_at IS 'When its positions first became chunks';
COMMENT ON COLUMN ops.hours.merged_at IS 'When late rows were last merged into its chunks';
COMMENT ON COLUMN ops.hours.chunks IS 'Number of its chunks';
COMMENT ON COLUMN ops.hours.chunk_rows IS 'Positions in its chunks';
COMMENT ON COLUMN ops.hours.chunk_checksum IS 'Sum of the hashes of these positions, modulo 2^64: the same in any order';
COMMENT ON COLUMN ops.hours.archived_at IS 'When its positions were last written to the archive';
COMMENT ON COLUMN ops.hours.archive_rows IS 'Its positions in the archive';
COMMENT ON COLUMN ops.hours.archive_checksum IS 'Sum of the hashes of these, as chunk_checksum';
COMMENT ON COLUMN ops.hours.archived_chunk_checksum IS 'chunk_checksum when it was last written to the archive: another one now says that the archive lacks something';
COMMENT ON COLUMN ops.hours.dropped_at IS 'When its positions left the database: the archive has them; what came later still may be in chunks. Unset where the database has it all (again)';
COMMENT ON COLUMN ops.hours.restored_at IS 'When they were last brought back from the archive';

CREATE TABLE ops.archive (
    day date PRIMARY KEY,
    path text NOT NULL,
    rows bigint NOT NULL CHECK (rows >= 0),
    checksum bigint NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    archived_at timestamptz NOT NULL,
    verified_at timestamptz,
    dropped_at timestamptz
);

COMMENT ON TABLE ops.archive IS 'The days that are in the archive, one Parquet file each';
COMMENT ON COLUMN ops.archive.day IS 'The day, UTC';
COMMENT ON COLUMN ops.archive.path IS 'Its file, below the folder that FLIGHT_ARCHIVE names';
COMMENT ON COLUMN ops.archive.rows IS 'Positions in the file';
COMMENT ON COLUMN ops.archive.checksum IS 'Sum of the hashes of these positions, modulo 2^64: the same in any order';
COMMENT ON COLUMN ops.archive.bytes IS 'Size of the file, bytes';
COMMENT ON COLUMN ops.archive.archived_at IS 'When the file was written';
COMMENT ON COLUMN ops.archive.verified_at IS 'When the file was last read again, and rows and checksum were right';
COMMENT ON COLUMN ops.archive.dropped_at IS 'When the day left the database, so that the file alone has it; unset where the database has it all (again)';

-- Positions of one flight that share what seldom changes, as one row: flight_platform/history/chunks.py says how. No
-- default partition, as with the raw ones. The columns stand in the order of chunk_copy.py: the heads by width, then the
-- planes of each number.
CREATE TABLE history.chunks (
    flight_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    first_time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    delay_ms bigint NOT NULL,
    time_offset integer NOT NULL,
    pace integer NOT NULL,
    latitude_e7 integer NOT NULL,
    longitude_e7 integer NOT NULL,
    latitude_rate integer NOT NULL,
    longitude_rate integer NOT NULL,
    south_e7 integer NOT NULL,
    west_e7 integer NOT NULL,
    north_e7 integer NOT NULL,
    east_e7 integer NOT NULL,
    altitude_ft integer,
    geometric_altitude_ft integer,
    vertical_rate_fpm integer,
    rows smallint NOT NULL,
    ground_speed_dkt smallint,
    track_ddeg smallint,
    time_scale smallint NOT NULL,
    altitude_scale smallint NOT NULL,
    geometric_altitude_scale smallint NOT NULL,
    vertical_rate_scale smallint NOT NULL,
    ground_speed_scale smallint NOT NULL,
    track_scale smallint NOT NULL,
    emergency smallint,
    kind smallint,
    on_ground boolean,
    callsign text COLLATE "C",
    squawk text COLLATE "C",
    source text COLLATE "C",
    time_0 bytea,
    time_1 bytea,
    time_2 bytea,
    received_0 bytea,
    received_1 bytea,
    received_2 bytea,
    latitude_0 bytea,
    latitude_1 bytea,
    latitude_2 bytea,
    longitude_0 bytea,
    longitude_1 bytea,
    longitude_2 bytea,
    altitude_0 bytea,
    altitude_1 bytea,
    geometric_altitude_0 bytea,
    geometric_altitude_1 bytea,
    vertical_rate_0 bytea,
    vertical_rate_1 bytea,
    ground_speed_0 bytea,
    ground_speed_1 bytea,
    track_0 bytea,
    track_1 bytea,
    PRIMARY KEY (flight_id, hour, first_time)
) PARTITION BY RANGE (hour);

CREATE INDEX chunks_hour ON history.chunks (hour);

COMMENT ON TABLE history.chunks IS 'Positions of one flight in one hour that share what seldom changes, as one row: value = head + course + scale * stored, see flight_platform/history/chunks.py; one partition a day, named chunks_YYYYMMDD (UTC)';
COMMENT ON COLUMN history.chunks.flight_id IS 'The flight: as in history.positions';
COMMENT ON COLUMN history.chunks.hour IS 'Start of the hour in which all of its positions lie; day by day a partition';
COMMENT ON COLUMN history.chunks.first_time IS 'Time of its first position';
COMMENT ON COLUMN history.chunks.last_time IS 'Time of its last position';
COMMENT ON COLUMN history.chunks.delay_ms IS 'Least delay from time to received_at, milliseconds';
COMMENT ON COLUMN history.chunks.time_offset IS 'Least difference from the even pace, milliseconds';
COMMENT ON COLUMN history.chunks.pace IS 'Even pace: milliseconds a position';
COMMENT ON COLUMN history.chunks.latitude_e7 IS 'Latitude at first_time, less the greatest way off the course, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.longitude_e7 IS 'Longitude at first_time, less the greatest way off the course, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.latitude_rate IS 'Course: 1e-7 degrees a millisecond, times 2^18';
COMMENT ON COLUMN history.chunks.longitude_rate IS 'Course: 1e-7 degrees a millisecond, times 2^18';
COMMENT ON COLUMN history.chunks.south_e7 IS 'Least latitude, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.west_e7 IS 'Least longitude, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.north_e7 IS 'Greatest latitude, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.east_e7 IS 'Greatest longitude, 1e-7 degrees';
COMMENT ON COLUMN history.chunks.altitude_ft IS 'Least barometric altitude, feet; unset where none is known';
COMMENT ON COLUMN history.chunks.geometric_altitude_ft IS 'Least geometric altitude less the climb since altitude_ft, feet; unset where none is known';
COMMENT ON COLUMN history.chunks.vertical_rate_fpm IS 'Least vertical rate, feet a minute; unset where none is known';
COMMENT ON COLUMN history.chunks.rows IS 'Number of its positions';
COMMENT ON COLUMN history.chunks.ground_speed_dkt IS 'Least speed over ground, tenths of a knot; unset where none is known';
COMMENT ON COLUMN history.chunks.track_ddeg IS 'Least direction over ground, tenths of a degree; unset where none is known';
COMMENT ON COLUMN history.chunks.time_scale IS 'Step in which the stored milliseconds are counted';
COMMENT ON COLUMN history.chunks.altitude_scale IS 'Step in which the stored feet are counted';
COMMENT ON COLUMN history.chunks.geometric_altitude_scale IS 'Step in which the stored feet are counted';
COMMENT ON COLUMN history.chunks.vertical_rate_scale IS 'Step in which the stored feet a minute are counted';
COMMENT ON COLUMN history.chunks.ground_speed_scale IS 'Step in which the stored tenths of a knot are counted';
COMMENT ON COLUMN history.chunks.track_scale IS 'Step in which the stored tenths of a degree are counted';
COMMENT ON COLUMN history.chunks.emergency IS 'Number of flight.v1.Emergency, of all its positions';
COMMENT ON COLUMN history.chunks.kind IS 'Number of flight.v1.Kind, of all its positions';
COMMENT ON COLUMN history.chunks.on_ground IS 'Whether the aircraft reports itself on the ground, of all its positions';
COMMENT ON COLUMN history.chunks.callsign IS 'Flight identification, of all its positions';
COMMENT ON COLUMN history.chunks.squawk IS 'Mode A code, of all its positions';
COMMENT ON COLUMN history.chunks.source IS 'Configured name of the feed, of all its positions';
COMMENT ON COLUMN history.chunks.time_0 IS 'Stored time, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.time_1 IS 'Stored time, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.time_2 IS 'Stored time, third byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.received_0 IS 'Stored delay until received_at, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.received_1 IS 'Stored delay until received_at, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.received_2 IS 'Stored delay until received_at, third byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.latitude_0 IS 'Stored latitude, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.latitude_1 IS 'Stored latitude, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.latitude_2 IS 'Stored latitude, third byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.longitude_0 IS 'Stored longitude, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.longitude_1 IS 'Stored longitude, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.longitude_2 IS 'Stored longitude, third byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.altitude_0 IS 'Stored altitude, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.altitude_1 IS 'Stored altitude, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.geometric_altitude_0 IS 'Stored geometric altitude, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.geometric_altitude_1 IS 'Stored geometric altitude, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.vertical_rate_0 IS 'Stored vertical rate, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.vertical_rate_1 IS 'Stored vertical rate, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.ground_speed_0 IS 'Stored speed over ground, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.ground_speed_1 IS 'Stored speed over ground, second byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.track_0 IS 'Stored direction over ground, lowest byte at each position; unset where all are 0';
COMMENT ON COLUMN history.chunks.track_1 IS 'Stored direction over ground, second byte at each position; unset where all are 0';

-- The leaf of the day that holds `hour`; false where it is there already. As make_leaf does, it blocks nobody.
--
-- Planes are compressed whenever that makes them smaller (with the usual target of 2 kB those of short chunks would not
-- be) and stay in their row while it fits into the page: a plane is 100 to 200 bytes, and moved out of line each would
-- pay a pointer, a row and an index entry.
CREATE FUNCTION history.make_chunk_leaf(hour timestamptz) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    day CONSTANT timestamptz := date_bin(interval '1 day', hour, timestamptz 'epoch');
    leaf CONSTANT text := 'chunks_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD');
    plane name;
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(history.leaf_lock_class(), -(extract(epoch FROM day) / 86400)::integer);
    IF EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE history.%I (LIKE history.chunks INCLUDING ALL) WITH (toast_tuple_target = 128)', leaf
    );
    FOR plane IN
        SELECT attname FROM pg_attribute WHERE attrelid = ('history.' || leaf)::regclass AND atttypid = 'bytea'::regtype
    LOOP
        EXECUTE format('ALTER TABLE history.%I ALTER COLUMN %I SET STORAGE MAIN', leaf, plane);
    END LOOP;
    EXECUTE format(
        'ALTER TABLE history.chunks ATTACH PARTITION history.%I FOR VALUES FROM (%L) TO (%L)',
        leaf, day, day + interval '24 hours'
    );
    RETURN true;
END
$$;

COMMENT ON FUNCTION history.make_chunk_leaf IS 'Makes and attaches the leaf of history.chunks of a day; false where it is there already';

-- Drops the leaf of history.chunks of the day that begins there; false where there is none.
CREATE FUNCTION history.drop_chunk_leaf(day timestamptz) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    leaf CONSTANT text := 'chunks_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE history.%I', leaf);
    RETURN true;
END
$$;

COMMENT ON FUNCTION history.drop_chunk_leaf IS 'Drops the leaf of history.chunks of a day; true where there was one';

-- What a writer does before it writes: it enters the hours of its batch, so that nobody compacts them meanwhile, and
-- learns which of them have chunks, where it must look for repeats. Volatile, so that the second statement sees what the
-- one whom it waited for has committed.
CREATE FUNCTION history.enter_hours(numbers integer[]) RETURNS integer[]
LANGUAGE plpgsql
AS $$
DECLARE
    number integer;
BEGIN
    FOREACH number IN ARRAY numbers LOOP -- in their order, which is the same for all
        PERFORM pg_advisory_xact_lock_shared(history.leaf_lock_class(), number);
    END LOOP;
    RETURN ARRAY(
        SELECT (extract(epoch FROM h.hour) / 3600)::integer
        FROM ops.hours AS h
        WHERE h.hour = ANY (ARRAY(SELECT to_timestamp(n * 3600.0::double precision) FROM unnest(numbers) AS n))
            AND h.chunk_rows > 0 -- 0 once they are dropped
    );
END
$$;

COMMENT ON FUNCTION history.enter_hours IS 'Takes part in the locks of these hours (Unix time / 3600, ascending) until the transaction ends; answers with those that have chunks';

-- Drops the raw leaf of an hour where it is empty; false where it is not, or where it would have to wait for somebody.
CREATE FUNCTION history.drop_leaf(hour timestamptz) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    leaf CONSTANT text := 'positions_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
    filled boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(history.leaf_lock_class(), (extract(epoch FROM hour) / 3600)::integer)
        OR NOT EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace)
    THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM history.%I)', leaf) INTO filled;
    IF filled THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE history.%I', leaf);
    RETURN true;
END
$$;

COMMENT ON FUNCTION history.drop_leaf IS 'Drops the raw leaf of an hour where it is empty and no writer is in it; true where it is gone';

CREATE FUNCTION history.stored(low bytea, middle bytea, i integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN get_byte(low, i) + get_byte(middle, i) * 256;

COMMENT ON FUNCTION history.stored(bytea, bytea, integer) IS 'What two planes of a chunk store at a position; 65535 is unknown';

CREATE FUNCTION history.stored(low bytea, middle bytea, high bytea, i integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN get_byte(low, i) + get_byte(middle, i) * 256 + get_byte(high, i) * 65536;

COMMENT ON FUNCTION history.stored(bytea, bytea, bytea, integer) IS 'What three planes of a chunk store at a position';

-- An absent plane is one of zeros; appended to nothing, so that it is decompressed once a chunk and not once a position.
CREATE FUNCTION history.plane(plane bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(plane, decode(repeat('00', 256), 'hex')) || ''::bytea;

COMMENT ON FUNCTION history.plane IS 'A plane of a chunk ready to be asked for single bytes';

-- The positions in chunks, as history.positions would have them. OFFSET 0 keeps the planes from being decompressed again
-- for each position; conditions on flight_id and hour, and on what is constant, reach the chunks all the same, and planes
-- that nobody asks for are not touched. Times are exact to the millisecond until the year 2242, where a double ends.
CREATE VIEW history.chunk_positions AS
SELECT
    c.flight_id,
    to_timestamp((x.first_ms + t.ms) / 1000) AS time,
    to_timestamp(
        (x.first_ms + t.ms + c.delay_ms + history.stored(x.received_0, x.received_1, x.received_2, i)) / 1000
    ) AS received_at,
    (
        c.latitude_e7 + (c.latitude_rate * t.ms::bigint >> 18)
        + history.stored(x.latitude_0, x.latitude_1, x.latitude_2, i)
    )::integer AS latitude_e7,
    (
        c.longitude_e7 + (c.longitude_rate * t.ms::bigint >> 18)
        + history.stored(x.longitude_0, x.longitude_1, x.longitude_2, i)
    )::integer AS longitude_e7,
    c.altitude_ft + c.altitude_scale * nullif(history.stored(x.altitude_0, x.altitude_1, i), 65535) AS altitude_ft,
    c.geometric_altitude_ft
    + c.geometric_altitude_scale * nullif(history.stored(x.geometric_altitude_0, x.geometric_altitude_1, i), 65535)
    + coalesce(c.altitude_scale * nullif(history.stored(x.altitude_0, x.altitude_1, i), 65535), 0)
    AS geometric_altitude_ft,
    c.vertical_rate_fpm
    + c.vertical_rate_scale * nullif(history.stored(x.vertical_rate_0, x.vertical_rate_1, i), 65535)
    AS vertical_rate_fpm,
    (
        c.ground_speed_dkt
        + c.ground_speed_scale * nullif(history.stored(x.ground_speed_0, x.ground_speed_1, i), 65535)
    )::smallint AS ground_speed_dkt,
    (
        c.track_ddeg + c.track_scale * nullif(history.stored(x.track_0, x.track_1, i), 65535)
    )::smallint AS track_ddeg,
    c.emergency,
    c.kind,
    c.on_ground,
    c.callsign,
    c.squawk,
    c.source,
    c.hour
FROM history.chunks AS c
CROSS JOIN LATERAL (
    SELECT
        (extract(epoch FROM c.first_time) * 1000)::double precision AS first_ms,
        history.plane(c.time_0) AS time_0,
        history.plane(c.time_1) AS time_1,
        history.plane(c.time_2) AS time_2,
        history.plane(c.received_0) AS received_0,
        history.plane(c.received_1) AS received_1,
        history.plane(c.received_2) AS received_2,
        history.plane(c.latitude_0) AS latitude_0,
        history.plane(c.latitude_1) AS latitude_1,
        history.plane(c.latitude_2) AS latitude_2,
        history.plane(c.longitude_0) AS longitude_0,
        history.plane(c.longitude_1) AS longitude_1,
        history.plane(c.longitude_2) AS longitude_2,
        history.plane(c.altitude_0) AS altitude_0,
        history.plane(c.altitude_1) AS altitude_1,
        history.plane(c.geometric_altitude_0) AS geometric_altitude_0,
        history.plane(c.geometric_altitude_1) AS geometric_altitude_1,
        history.plane(c.vertical_rate_0) AS vertical_rate_0,
        history.plane(c.vertical_rate_1) AS vertical_rate_1,
        history.plane(c.ground_speed_0) AS ground_speed_0,
        history.plane(c.ground_speed_1) AS ground_speed_1,
        history.plane(c.track_0) AS track_0,
        history.plane(c.track_1) AS track_1
    OFFSET 0
) AS x
CROSS JOIN LATERAL generate_series(0, c.rows - 1) AS i
CROSS JOIN LATERAL (
    SELECT c.time_offset + c.pace * i + c.time_scale * history.stored(x.time_0, x.time_1, x.time_2, i) AS ms
) AS t;

COMMENT ON VIEW history.chunk_positions IS 'The positions in chunks, one row each';
COMMENT ON COLUMN history.chunk_positions.flight_id IS '(address << 32) | Unix second of the first report; bit 24 of the address: not ICAO';
COMMENT ON COLUMN history.chunk_positions.time IS 'When the position was true, by the source''s clock';
COMMENT ON COLUMN history.chunk_positions.received_at IS 'When the feed took the report';
COMMENT ON COLUMN history.chunk_positions.latitude_e7 IS 'Latitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.chunk_positions.longitude_e7 IS 'Longitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.chunk_positions.altitude_ft IS 'Barometric altitude, feet';
COMMENT ON COLUMN history.chunk_positions.geometric_altitude_ft IS 'Height above the WGS 84 ellipsoid, feet';
COMMENT ON COLUMN history.chunk_positions.vertical_rate_fpm IS 'Climb or descent, feet a minute';
COMMENT ON COLUMN history.chunk_positions.ground_speed_dkt IS 'Speed over ground, tenths of a knot';
COMMENT ON COLUMN history.chunk_positions.track_ddeg IS 'Direction over ground, tenths of a degree from true north';
COMMENT ON COLUMN history.chunk_positions.emergency IS 'Number of flight.v1.Emergency';
COMMENT ON COLUMN history.chunk_positions.kind IS 'Number of flight.v1.Kind';
COMMENT ON COLUMN history.chunk_positions.on_ground IS 'Whether the aircraft reports itself on the ground';
COMMENT ON COLUMN history.chunk_positions.callsign IS 'Flight identification without padding';
COMMENT ON COLUMN history.chunk_positions.squawk IS 'Mode A code, four octal digits';
COMMENT ON COLUMN history.chunk_positions.source IS 'Configured name of the feed';
COMMENT ON COLUMN history.chunk_positions.hour IS 'Start of the hour of time, UTC; prunes';

-- Every position once, at every moment: compaction moves them in one transaction. The constants of date_bin stand here
-- exactly as in the CHECK of each raw leaf (make_leaf): that is how a condition on `hour` excludes leaves.
CREATE VIEW history.all_positions AS
SELECT
    flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft,
    geometric_altitude_ft, vertical_rate_fpm, ground_speed_dkt, track_ddeg, emergency,
    kind, on_ground, callsign, squawk, source,
    date_bin(interval '1 hour', time, timestamptz 'epoch') AS hour
FROM history.positions
UNION ALL
SELECT
    flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft,
    geometric_altitude_ft, vertical_rate_fpm, ground_speed_dkt, track_ddeg, emergency,
    kind, on_ground, callsign, squawk, source,
    hour
FROM history.chunk_positions;

COMMENT ON VIEW history.all_positions IS 'Every position in the database, raw or in chunks, one row each';
COMMENT ON COLUMN history.all_positions.flight_id IS '(address << 32) | Unix second of the first report; bit 24 of the address: not ICAO';
COMMENT ON COLUMN history.all_positions.time IS 'When the position was true, by the source''s clock';
COMMENT ON COLUMN history.all_positions.received_at IS 'When the feed took the report';
COMMENT ON COLUMN history.all_positions.latitude_e7 IS 'Latitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.all_positions.longitude_e7 IS 'Longitude, 1e-7 degrees WGS 84';
COMMENT ON COLUMN history.all_positions.altitude_ft IS 'Barometric altitude, feet';
COMMENT ON COLUMN history.all_positions.geometric_altitude_ft IS 'Height above the WGS 84 ellipsoid, feet';
COMMENT ON COLUMN history.all_positions.vertical_rate_fpm IS 'Climb or descent, feet a minute';
COMMENT ON COLUMN history.all_positions.ground_speed_dkt IS 'Speed over ground, tenths of a knot';
COMMENT ON COLUMN history.all_positions.track_ddeg IS 'Direction over ground, tenths of a degree from true north';
COMMENT ON COLUMN history.all_positions.emergency IS 'Number of flight.v1.Emergency';
COMMENT ON COLUMN history.all_positions.kind IS 'Number of flight.v1.Kind';
COMMENT ON COLUMN history.all_positions.on_ground IS 'Whether the aircraft reports itself on the ground';
COMMENT ON COLUMN history.all_positions.callsign IS 'Flight identification without padding';
COMMENT ON COLUMN history.all_positions.squawk IS 'Mode A code, four octal digits';
COMMENT ON COLUMN history.all_positions.source IS 'Configured name of the feed';
COMMENT ON COLUMN history.all_positions.hour IS 'Start of the hour of time, UTC; prunes';

-- No longer STRICT: of such a function the planner must prove that each of its parts is strict before it puts it into the
-- query, and with a CASE it cannot; called for each row they took twenty times as long as all other columns together.
CREATE OR REPLACE FUNCTION analytics.icao24_text(address bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN address & 16777216 <> 0 THEN '~' ELSE '' END || substr(encode(int8send(address), 'hex'), 11);

CREATE OR REPLACE FUNCTION analytics.flight_id_text(flight_key bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN flight_key & 72057594037927936 <> 0 THEN '~' ELSE '' END
    || substr(encode(int8send(flight_key), 'hex'), 3, 6) || '-' || substr(encode(int8send(flight_key), 'hex'), 9);

CREATE OR REPLACE FUNCTION analytics.flight_first_seen(flight_key bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp((flight_key & 4294967295)::double precision);

-- Divisions by a power of ten are the inverse of how the integers were made.
CREATE OR REPLACE VIEW analytics.positions AS
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
    p.hour,
    p.flight_id AS flight_key
FROM history.all_positions AS p;

COMMENT ON VIEW analytics.positions IS
    'Every position report in the database, one row each. Name an hour or a range of hours (a constant one prunes); for one flight use track(), or flight_key with a range of hours; for a stretch of time positions_between()';
COMMENT ON COLUMN analytics.positions.time IS 'When the position was true, by the source''s clock; to prune, name hour as well';

CREATE FUNCTION analytics.hour_of(moment timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin(interval '1 hour', moment, timestamptz 'epoch');

COMMENT ON FUNCTION analytics.hour_of IS 'Start of the hour of a moment, UTC: what column hour of positions is compared with';

CREATE OR REPLACE FUNCTION analytics.positions_between(from_time timestamptz, to_time timestamptz)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.*
    FROM analytics.positions AS p
    WHERE p.time >= from_time
        AND p.time < to_time
        AND p.hour >= analytics.hour_of(from_time)
        AND p.hour <= analytics.hour_of(to_time);
END;

-- Where in time to look: a flight lasts 36 hours (129,600 s) at most, and a report up to 5 s late to its own birth belongs
-- to it. In seconds, since adding an interval to a timestamptz is not immutable and would prune only when it is run.
CREATE FUNCTION analytics.flight_first_hour(flight_key bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp((((flight_key & 4294967295) - 5) / 3600 * 3600)::double precision);

COMMENT ON FUNCTION analytics.flight_first_hour IS 'The first hour in which a flight can have a position, as its key says';

CREATE FUNCTION analytics.flight_last_hour(flight_key bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp((((flight_key & 4294967295) + 129600) / 3600 * 3600)::double precision);

COMMENT ON FUNCTION analytics.flight_last_hour IS 'The last hour in which a flight can have a position, as its key says';

CREATE OR REPLACE FUNCTION analytics.track(flight_id text)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.*
    FROM analytics.positions AS p
    WHERE p.flight_key = analytics.flight_key(track.flight_id)
        AND p.time >= to_timestamp((analytics.flight_key(track.flight_id) & 4294967295)::double precision - 5)
        AND p.time < to_timestamp((analytics.flight_key(track.flight_id) & 4294967295)::double precision + 129600)
        AND p.hour >= analytics.flight_first_hour(analytics.flight_key(track.flight_id))
        AND p.hour <= analytics.flight_last_hour(analytics.flight_key(track.flight_id));
END;

CREATE OR REPLACE VIEW analytics.flights AS
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
FROM history.all_positions AS p
GROUP BY p.flight_id;

DROP VIEW analytics.coverage;

-- One row an hour that has a raw leaf, or had any step of its life. An hour's share of its day's chunks stands for its
-- size, since chunks of a day lie in one table.
CREATE VIEW analytics.coverage AS
WITH raw AS (
    SELECT
        make_timestamptz(
            substr(leaf.relname, 11, 4)::integer, substr(leaf.relname, 15, 2)::integer,
            substr(leaf.relname, 17, 2)::integer, substr(leaf.relname, 19, 2)::integer, 0, 0, 'UTC'
        ) AS hour,
        leaf.relname::text AS leaf,
        greatest(pg_stat_get_live_tuples(leaf.oid), leaf.reltuples::bigint, 0) AS estimated_rows,
        pg_total_relation_size(leaf.oid) AS bytes
    FROM pg_inherits
    INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = 'history.positions'::regclass AND leaf.relname ~ '^positions_[0-9]{10}$'
),
days AS (
    SELECT
        make_timestamptz(
            substr(leaf.relname, 8, 4)::integer, substr(leaf.relname, 12, 2)::integer,
            substr(leaf.relname, 14, 2)::integer, 0, 0, 0, 'UTC'
        ) AS day,
        pg_total_relation_size(leaf.oid) AS bytes
    FROM pg_inherits
    INNER JOIN pg_class AS leaf ON leaf.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = 'history.chunks'::regclass AND leaf.relname ~ '^chunks_[0-9]{8}$'
),
chunked AS (
    SELECT
        h.*,
        days.bytes * h.chunk_rows / nullif(sum(h.chunk_rows) OVER (PARTITION BY days.day), 0) AS bytes
    FROM ops.hours AS h
    LEFT JOIN days ON days.day = date_bin(interval '1 day', h.hour, timestamptz 'epoch')
)
SELECT
    hour,
    CASE
        WHEN chunked.dropped_at IS NOT NULL THEN 'archive'
        WHEN chunked.compacted_at IS NOT NULL THEN 'chunks'
        ELSE 'raw'
    END AS state,
    chunked.chunk_rows,
    chunked.archive_rows,
    raw.estimated_rows,
    (coalesce(raw.bytes, 0) + coalesce(chunked.bytes, 0))::bigint AS bytes,
    raw.leaf,
    chunked.passed,
    chunked.accepted_at,
    chunked.compacted_at,
    chunked.archived_at,
    (
        SELECT coalesce(sum(extract(epoch FROM upper(missing) - lower(missing))), 0)::double precision
        FROM unnest((
            SELECT range_agg(
                tstzrange(g.from_time, greatest(g.from_time, g.to_time)) * tstzrange(hour, hour + interval '1 hour')
            )
            FROM ops.gaps AS g
            WHERE g.filled_at IS NULL
                AND g.from_time < hour + interval '1 hour'
                AND (g.to_time IS NULL OR g.to_time > hour)
        )) AS missing
    ) AS gap_s
FROM raw
FULL JOIN chunked USING (hour);

COMMENT ON VIEW analytics.coverage IS 'The hours that history has, those made ahead included: how each is stored, and how complete it is';
COMMENT ON COLUMN analytics.coverage.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN analytics.coverage.state IS 'How it is stored: raw, chunks (what came late since then is raw until it is merged), archive (no longer in the database)';
COMMENT ON COLUMN analytics.coverage.chunk_rows IS 'Number of its positions in chunks';
COMMENT ON COLUMN analytics.coverage.archive_rows IS 'Number of its positions in the archive';
COMMENT ON COLUMN analytics.coverage.estimated_rows IS 'Number of raw positions, as the server estimates it: may trail by a second, or more after a crash; unset where there is no leaf';
COMMENT ON COLUMN analytics.coverage.bytes IS 'Size on disk with its index, bytes; of chunks its share of the day';
COMMENT ON COLUMN analytics.coverage.leaf IS 'Partition of raw positions; unset where there is none (any more)';
COMMENT ON COLUMN analytics.coverage.passed IS 'Whether it was as expected when it was last checked; unset where it never was';
COMMENT ON COLUMN analytics.coverage.accepted_at IS 'When an operator accepted it although it was not';
COMMENT ON COLUMN analytics.coverage.compacted_at IS 'When it became chunks';
COMMENT ON COLUMN analytics.coverage.archived_at IS 'When it was last written to the archive';
COMMENT ON COLUMN analytics.coverage.gap_s IS 'Seconds of it for which data are on record as lost (view gaps); 0 where nothing is known to be missing';
