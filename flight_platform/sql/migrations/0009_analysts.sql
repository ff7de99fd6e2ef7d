-- What analysts ask often, as functions; what must not be shown, and what was done about it.
--
-- Plain SQL without SET, as all of schema analytics, so that the planner inlines those that answer with rows and prunes
-- through them.

CREATE FUNCTION analytics.distance_nm(
    latitude_1 double precision, longitude_1 double precision, latitude_2 double precision, longitude_2 double precision
) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN 2 * 3440.0695::double precision * asin(least(1, sqrt( -- 3440.0695 nautical miles are the earth's mean radius
    sin(radians(latitude_2 - latitude_1) / 2) ^ 2
    + cos(radians(latitude_1)) * cos(radians(latitude_2)) * sin(radians(longitude_2 - longitude_1) / 2) ^ 2
)));

COMMENT ON FUNCTION analytics.distance_nm IS 'Great-circle distance of two places in degrees, nautical miles: haversine on a sphere, within 0.5 % of the ellipsoid';

CREATE FUNCTION analytics.bearing_deg(
    latitude_1 double precision, longitude_1 double precision, latitude_2 double precision, longitude_2 double precision
) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN degrees(atan2(
    sin(radians(longitude_2 - longitude_1)) * cos(radians(latitude_2)),
    cos(radians(latitude_1)) * sin(radians(latitude_2))
    - sin(radians(latitude_1)) * cos(radians(latitude_2)) * cos(radians(longitude_2 - longitude_1))
)) + CASE WHEN sin(radians(longitude_2 - longitude_1)) * cos(radians(latitude_2)) < 0 THEN 360 ELSE 0 END;

COMMENT ON FUNCTION analytics.bearing_deg IS 'Direction in which a great circle leaves the first place for the second, degrees from true north, 0 up to 360';

-- A band of latitude first, by the index: a minute of latitude is a nautical mile, wherever it lies.
CREATE INDEX airports_latitude ON reference.airports (latitude);

CREATE FUNCTION analytics.nearest_airport(
    latitude double precision, longitude double precision, within_nm double precision DEFAULT 20
)
RETURNS TABLE (icao text, iata text, name text, elevation_ft integer, distance_nm double precision, bearing_deg double precision)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT
        near.icao,
        near.iata,
        near.name,
        near.elevation_ft,
        near.distance_nm,
        analytics.bearing_deg(nearest_airport.latitude, nearest_airport.longitude, near.latitude, near.longitude)
    FROM (
        SELECT
            a.*,
            analytics.distance_nm(nearest_airport.latitude, nearest_airport.longitude, a.latitude, a.longitude)
                AS distance_nm
        FROM analytics.airports AS a
        WHERE a.latitude >= nearest_airport.latitude - within_nm / 59.5 -- a sphere's minute is a little shorter
            AND a.latitude <= nearest_airport.latitude + within_nm / 59.5
    ) AS near
    WHERE near.distance_nm <= within_nm
    ORDER BY near.distance_nm
    LIMIT 1;
END;

COMMENT ON FUNCTION analytics.nearest_airport IS 'The nearest airport within so many nautical miles, with the bearing to it; no row where there is none. For each row of a question: FROM flights, LATERAL nearest_airport(latitude, longitude)';

CREATE FUNCTION analytics.positions_in_box(
    west double precision, south double precision, east double precision, north double precision,
    from_time timestamptz, to_time timestamptz
)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.*
    FROM analytics.positions_between(from_time, to_time) AS p
    WHERE p.latitude >= south AND p.latitude <= north
        AND CASE
            WHEN west <= east THEN p.longitude >= west AND p.longitude <= east
            ELSE p.longitude >= west OR p.longitude <= east
        END;
END;

COMMENT ON FUNCTION analytics.positions_in_box IS 'The positions within a box, edges included, in a stretch of time, its end left out; west > east means across the antimeridian. Reads only the hours that it touches';

CREATE FUNCTION analytics.positions_near(
    latitude double precision, longitude double precision, within_nm double precision,
    from_time timestamptz, to_time timestamptz
)
RETURNS SETOF analytics.positions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.*
    FROM analytics.positions_between(from_time, to_time) AS p
    WHERE p.latitude >= positions_near.latitude - within_nm / 59.5
        AND p.latitude <= positions_near.latitude + within_nm / 59.5
        AND analytics.distance_nm(positions_near.latitude, positions_near.longitude, p.latitude, p.longitude)
        <= within_nm;
END;

COMMENT ON FUNCTION analytics.positions_near IS 'The positions within so many nautical miles of a place, in a stretch of time, its end left out. Reads only the hours that it touches';

-- The same reckoning as the history API's altitude band: between two reports an aircraft climbs or descends evenly; five
-- minutes without a report are unknown and count for nothing.
CREATE FUNCTION analytics.time_in_band(flight_id text, low_ft integer, high_ft integer) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH legs AS (
        SELECT
            p.altitude_ft AS this_ft,
            lead(p.altitude_ft) OVER track AS next_ft,
            lead(p.time) OVER track - p.time AS leg
        FROM analytics.track(time_in_band.flight_id) AS p
        WHERE p.altitude_ft IS NOT NULL
        WINDOW track AS (ORDER BY p.time)
    )

    SELECT sum(leg * CASE
        WHEN this_ft = next_ft THEN (this_ft BETWEEN low_ft AND high_ft)::integer::double precision
        ELSE greatest(
            0, least(greatest(this_ft, next_ft), high_ft) - greatest(least(this_ft, next_ft), low_ft)
        )::double precision / abs(next_ft - this_ft)
    END)
    FROM legs
    WHERE leg <= interval '5 minutes';
END;

COMMENT ON FUNCTION analytics.time_in_band IS 'How long a flight was between two barometric altitudes, both included; NULL where that cannot be told';

-- A line that crosses the antimeridian is cut there (RFC 7946, 3.1.9), as the history API cuts it.
CREATE FUNCTION analytics.track_geojson(flight_id text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH reports AS (
        SELECT
            p.time,
            p.latitude,
            p.longitude,
            p.altitude_ft,
            p.callsign,
            lag(p.time) OVER track AS time_0,
            lag(p.latitude) OVER track AS latitude_0,
            lag(p.longitude) OVER track AS longitude_0,
            lag(p.altitude_ft) OVER track AS altitude_ft_0,
            coalesce(abs(p.longitude - lag(p.longitude) OVER track) > 180, false) AS crossed
        FROM analytics.track(track_geojson.flight_id) AS p
        WINDOW track AS (ORDER BY p.time)
    ),

    numbered AS (
        SELECT r.*, count(*) FILTER (WHERE r.crossed) OVER (ORDER BY r.time) AS line FROM reports AS r
    ),

    crossings AS (
        SELECT
            n.*,
            sign(n.longitude_0) * 180 AS edge,
            (sign(n.longitude_0) * 180 - n.longitude_0)
            / nullif(n.longitude + sign(n.longitude_0) * 360 - n.longitude_0, 0) AS share
        FROM numbered AS n
        WHERE n.crossed
    ),

    edges AS (
        SELECT
            c.line,
            c.edge,
            c.time_0 + coalesce(c.share, 0) * (c.time - c.time_0) AS time,
            round((c.latitude_0 + coalesce(c.share, 0) * (c.latitude - c.latitude_0))::numeric, 7) AS latitude,
            c.altitude_ft_0 AS altitude_ft
        FROM crossings AS c
    ),

    points AS ( -- turn: what comes first of a line where times are equal
        SELECT n.line, n.time, 1 AS turn, n.longitude::numeric, n.latitude::numeric, n.altitude_ft FROM numbered AS n
        UNION ALL
        SELECT e.line - 1, e.time, 2, e.edge::numeric, e.latitude, e.altitude_ft FROM edges AS e
        UNION ALL
        SELECT e.line, e.time, 0, -e.edge::numeric, e.latitude, e.altitude_ft FROM edges AS e
    ),

    lines AS (
        SELECT
            points.line,
            jsonb_agg(jsonb_build_array(longitude, latitude) ORDER BY points.time, turn) AS places,
            jsonb_agg(
                to_char(
                    date_trunc('milliseconds', points.time + interval '0.5 milliseconds') AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                ) ORDER BY points.time, turn
            ) AS times,
            jsonb_agg(altitude_ft ORDER BY points.time, turn) AS altitudes
        FROM points
        GROUP BY points.line
    ),

    whole AS (
        SELECT
            count(*) AS lines,
            jsonb_agg(places ORDER BY line) AS places,
            jsonb_agg(times ORDER BY line) AS times,
            jsonb_agg(altitudes ORDER BY line) AS altitudes
        FROM lines
    )

    SELECT jsonb_build_object(
        'type', 'Feature',
        'id', track_geojson.flight_id,
        'geometry', CASE
            WHEN w.lines > 1 THEN jsonb_build_object('type', 'MultiLineString', 'coordinates', w.places)
            WHEN jsonb_array_length(w.places -> 0) = 1 -- a line needs two
                THEN jsonb_build_object('type', 'Point', 'coordinates', w.places -> 0 -> 0)
            ELSE jsonb_build_object('type', 'LineString', 'coordinates', w.places -> 0)
        END,
        'properties', jsonb_build_object(
            'flight_id', track_geojson.flight_id,
            'icao24', split_part(track_geojson.flight_id, '-', 1),
            'callsign', (
                SELECT r.callsign FROM reports AS r WHERE r.callsign IS NOT NULL ORDER BY r.time DESC LIMIT 1
            ),
            'times', CASE WHEN w.lines > 1 THEN w.times ELSE w.times -> 0 END,
            'altitude_ft', CASE WHEN w.lines > 1 THEN w.altitudes ELSE w.altitudes -> 0 END
        )
    )
    FROM whole AS w
    WHERE w.lines > 0;
END;

COMMENT ON FUNCTION analytics.track_geojson IS 'The track of one flight as a GeoJSON feature (RFC 7946), as the history API gives it: times and altitudes run beside the coordinates; NULL where there is no such flight';

-- What was done with data about persons: the block list's edits, what was forgotten, what left the platform.
CREATE TABLE ops.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);

COMMENT ON TABLE ops.audit IS 'What was done with data about persons, by whom and why; rows are only added';
COMMENT ON COLUMN ops.audit.audit_id IS 'Number of the row';
COMMENT ON COLUMN ops.audit.at IS 'When';
COMMENT ON COLUMN ops.audit.actor IS 'Who: the operator, as the operating system or the run names them';
COMMENT ON COLUMN ops.audit.action IS 'What: block, unblock, forget or export';
COMMENT ON COLUMN ops.audit.subject IS 'About whom or what: address, registration, callsign, or the file that was written';
COMMENT ON COLUMN ops.audit.reason IS 'Why';
COMMENT ON COLUMN ops.audit.detail IS 'What came of it: counts by store, the rule';

-- Whom the platform must not show. Feeds read it and keep a copy; history's writer looks in the transaction that writes.
CREATE TABLE ops.block_list (
    rule_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    icao24 text,
    registration text,
    callsign text,
    treatment text NOT NULL CHECK (treatment IN ('drop', 'anonymise')),
    since date,
    until date,
    reason text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    added_by text NOT NULL,
    CHECK (num_nonnulls(icao24, registration, callsign) = 1),
    CHECK (until >= since)
);

COMMENT ON TABLE ops.block_list IS 'Aircraft that the platform must not show; each edit is in ops.audit';
COMMENT ON COLUMN ops.block_list.rule_id IS 'Number of the rule';
COMMENT ON COLUMN ops.block_list.icao24 IS 'The aircraft by its address; one of the three is set';
COMMENT ON COLUMN ops.block_list.registration IS 'The aircraft by its registration: holds for the address that reference.aircraft gives it';
COMMENT ON COLUMN ops.block_list.callsign IS 'Whatever flies under this callsign';
COMMENT ON COLUMN ops.block_list.treatment IS 'What happens to its reports: drop, or anonymise (a pseudonym that changes each day, no callsign, no squawk)';
COMMENT ON COLUMN ops.block_list.since IS 'First day (UTC) on which it counts; unset: from ever';
COMMENT ON COLUMN ops.block_list.until IS 'Last day (UTC) on which it counts; unset: for good';
COMMENT ON COLUMN ops.block_list.reason IS 'Why';
COMMENT ON COLUMN ops.block_list.added_at IS 'When it was put on the list';
COMMENT ON COLUMN ops.block_list.added_by IS 'Who put it there';

-- Whoever holds the list in memory asks each time whether it is still the same: one row, and no look at the list.
CREATE TABLE ops.block_list_revision (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    revision bigint NOT NULL
);

COMMENT ON TABLE ops.block_list_revision IS 'Which state of the block list is the newest: one row, none before the first change';
COMMENT ON COLUMN ops.block_list_revision.is_only IS 'Holds the table to one row';
COMMENT ON COLUMN ops.block_list_revision.revision IS 'Goes up with each change of the list, and of the aircraft by which registrations are found';

CREATE FUNCTION ops.block_list_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO ops.block_list_revision AS r (revision) VALUES (1)
    ON CONFLICT (is_only) DO UPDATE SET revision = r.revision + 1;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ops.block_list_changed IS 'Trigger: another state of the block list';

CREATE TRIGGER block_list_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ops.block_list
FOR EACH STATEMENT EXECUTE FUNCTION ops.block_list_changed();

CREATE TRIGGER block_list_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON reference.aircraft
FOR EACH STATEMENT EXECUTE FUNCTION ops.block_list_changed();

-- Records that history did not take because the block list names their aircraft.
ALTER TABLE ops.ledger ADD COLUMN withheld integer NOT NULL DEFAULT 0;
ALTER TABLE ops.ledger DROP CONSTRAINT ledger_check2;
ALTER TABLE ops.ledger ADD CONSTRAINT ledger_adds_up CHECK (records = rows + repeats + quarantined + withheld);

COMMENT ON COLUMN ops.ledger.withheld IS 'Records of aircraft that the block list names: counted, and kept nowhere';
COMMENT ON COLUMN ops.ledger.records IS 'Records in the range: rows + repeats + quarantined + withheld';

CREATE OR REPLACE VIEW analytics.ingest_ledger AS
SELECT
    topic, kafka_partition, from_offset, to_offset, written_at, records, rows, repeats, quarantined, late, first_time,
    last_time, withheld
FROM ops.ledger;

COMMENT ON COLUMN analytics.ingest_ledger.withheld IS 'Records of aircraft that the block list names: counted, and kept nowhere';
COMMENT ON COLUMN analytics.ingest_ledger.records IS 'Records in the range: rows + repeats + quarantined + withheld';

-- What a verdict keeps as an example tells of somebody: flight forget must find it.
CREATE FUNCTION ops.is_named(sample jsonb, first_flights bigint[], last_flights bigint[], callsign text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sample ->> 'callsign' = callsign OR EXISTS (
    SELECT
    FROM unnest(first_flights, last_flights) AS s (first_flight, last_flight)
    WHERE analytics.flight_key(sample ->> 'flight_id') BETWEEN s.first_flight AND s.last_flight
);

COMMENT ON FUNCTION ops.is_named IS 'Whether a sample of a verdict is of one of these ranges of flights, or has this callsign';
