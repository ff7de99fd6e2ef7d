-- Flights, derived from their positions, and what tells them apart: runways, aircraft.

CREATE TABLE reference.runways (
    airport text NOT NULL,
    name text NOT NULL,
    length_ft integer NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    heading_deg double precision NOT NULL,
    PRIMARY KEY (airport, name)
);

COMMENT ON TABLE reference.runways IS 'Runways, a direction each; from a file of OurAirports that the operator names. Empty without one';
COMMENT ON COLUMN reference.runways.airport IS 'ICAO location indicator of its airport';
COMMENT ON COLUMN reference.runways.name IS 'Designator of this direction, as in 28L';
COMMENT ON COLUMN reference.runways.length_ft IS 'Length, feet';
COMMENT ON COLUMN reference.runways.latitude IS 'Of its threshold, degrees WGS 84, north positive';
COMMENT ON COLUMN reference.runways.longitude IS 'Of its threshold, degrees WGS 84, east positive';
COMMENT ON COLUMN reference.runways.heading_deg IS 'Direction from its threshold, degrees from true north';

CREATE VIEW analytics.runways AS
SELECT airport, name, length_ft, latitude, longitude, heading_deg FROM reference.runways;

COMMENT ON VIEW analytics.runways IS 'Runways, a direction each; empty where the operator has named no file of them';
COMMENT ON COLUMN analytics.runways.airport IS 'ICAO location indicator of its airport';
COMMENT ON COLUMN analytics.runways.name IS 'Designator of this direction, as in 28L';
COMMENT ON COLUMN analytics.runways.length_ft IS 'Length, feet';
COMMENT ON COLUMN analytics.runways.latitude IS 'Of its threshold, degrees WGS 84, north positive';
COMMENT ON COLUMN analytics.runways.longitude IS 'Of its threshold, degrees WGS 84, east positive';
COMMENT ON COLUMN analytics.runways.heading_deg IS 'Direction from its threshold, degrees from true north';

ALTER TABLE reference.aircraft
    ADD COLUMN type_class text,
    ADD COLUMN wake_category text,
    ADD COLUMN military boolean,
    ADD COLUMN provider text,
    ADD COLUMN loaded_at timestamptz NOT NULL DEFAULT clock_timestamp();

COMMENT ON TABLE reference.aircraft IS 'Aircraft by address; from a file of Mictronics or OpenSky that the operator names. Empty without one';
COMMENT ON COLUMN reference.aircraft.type_class IS 'ICAO description of the type (Doc 8643), as in L2J: landplane, two jets';
COMMENT ON COLUMN reference.aircraft.wake_category IS 'Wake turbulence category: L, M, H or J';
COMMENT ON COLUMN reference.aircraft.military IS 'Whether it is a military aircraft, where the file says so';
COMMENT ON COLUMN reference.aircraft.provider IS 'Whose file it came from: mictronics or opensky';
COMMENT ON COLUMN reference.aircraft.loaded_at IS 'When it was loaded';

CREATE OR REPLACE VIEW analytics.aircraft AS
SELECT icao24, registration, type_code, type_name, operator, type_class, wake_category, military, provider, loaded_at
FROM reference.aircraft;

COMMENT ON COLUMN analytics.aircraft.type_class IS 'ICAO description of the type (Doc 8643), as in L2J: landplane, two jets';
COMMENT ON COLUMN analytics.aircraft.wake_category IS 'Wake turbulence category: L, M, H or J';
COMMENT ON COLUMN analytics.aircraft.military IS 'Whether it is a military aircraft, where the file says so';
COMMENT ON COLUMN analytics.aircraft.provider IS 'Whose file it came from: mictronics or opensky';
COMMENT ON COLUMN analytics.aircraft.loaded_at IS 'When it was loaded';

-- A row is made anew from all of a flight's positions each time that an hour with some of them is derived, so that it is
-- the same whatever was derived before it, or twice. What is inferred stands beside the confidence in it.
CREATE TABLE history.flights (
    flight_id bigint PRIMARY KEY,
    first_time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    takeoff_time timestamptz,
    landing_time timestamptz,
    derived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_latitude double precision NOT NULL,
    first_longitude double precision NOT NULL,
    last_latitude double precision NOT NULL,
    last_longitude double precision NOT NULL,
    south double precision NOT NULL,
    west double precision NOT NULL,
    north double precision NOT NULL,
    east double precision NOT NULL,
    distance_nm double precision NOT NULL,
    average_ground_speed_kt double precision,
    max_ground_speed_kt double precision,
    positions integer NOT NULL CHECK (positions > 0),
    max_altitude_ft integer,
    takeoff_confidence real CHECK (takeoff_confidence BETWEEN 0 AND 1),
    landing_confidence real CHECK (landing_confidence BETWEEN 0 AND 1),
    departure_confidence real CHECK (departure_confidence BETWEEN 0 AND 1),
    arrival_confidence real CHECK (arrival_confidence BETWEEN 0 AND 1),
    on_ground_s real NOT NULL,
    below_3000_ft_s real NOT NULL,
    from_3000_ft_s real NOT NULL,
    from_10000_ft_s real NOT NULL,
    from_25000_ft_s real NOT NULL,
    from_35000_ft_s real NOT NULL,
    unknown_s real NOT NULL,
    gap_count integer NOT NULL,
    gap_s real NOT NULL,
    longest_gap_s real NOT NULL,
    final boolean NOT NULL,
    callsign text COLLATE "C",
    departure_airport text,
    arrival_airport text,
    callsigns text[] COLLATE "C" NOT NULL,
    gaps jsonb NOT NULL,
    CHECK (last_time >= first_time),
    CHECK ((takeoff_time IS NULL) = (takeoff_confidence IS NULL)),
    CHECK ((landing_time IS NULL) = (landing_confidence IS NULL)),
    CHECK ((departure_airport IS NULL) = (departure_confidence IS NULL)),
    CHECK ((arrival_airport IS NULL) = (arrival_confidence IS NULL))
) WITH (fillfactor = 80); -- a flight in the air is made anew each few minutes

CREATE INDEX flights_first_time ON history.flights (first_time);
CREATE INDEX flights_callsign ON history.flights (callsign, first_time);
CREATE INDEX flights_open ON history.flights (last_time) WHERE NOT final;

COMMENT ON TABLE history.flights IS 'One row a flight, derived from its positions: ends, distance, speed, altitude, gaps; docs/flights.md says how';
COMMENT ON COLUMN history.flights.flight_id IS '(address << 32) | Unix second of the first report; bit 24 of the address: not ICAO';
COMMENT ON COLUMN history.flights.first_time IS 'Time of its first position';
COMMENT ON COLUMN history.flights.last_time IS 'Time of its last position that was known when the row was made';
COMMENT ON COLUMN history.flights.takeoff_time IS 'When it left the ground, inferred; NULL where that cannot be told';
COMMENT ON COLUMN history.flights.landing_time IS 'When it came back to the ground for the last time, inferred; NULL where that cannot be told';
COMMENT ON COLUMN history.flights.derived_at IS 'When the row was made';
COMMENT ON COLUMN history.flights.first_latitude IS 'Of its first position, degrees WGS 84, north positive';
COMMENT ON COLUMN history.flights.first_longitude IS 'Of its first position, degrees WGS 84, east positive';
COMMENT ON COLUMN history.flights.last_latitude IS 'Of its last position, degrees WGS 84, north positive';
COMMENT ON COLUMN history.flights.last_longitude IS 'Of its last position, degrees WGS 84, east positive';
COMMENT ON COLUMN history.flights.south IS 'Least latitude of its positions';
COMMENT ON COLUMN history.flights.west IS 'Western edge of its positions; greater than the eastern one where it crosses the antimeridian';
COMMENT ON COLUMN history.flights.north IS 'Greatest latitude of its positions';
COMMENT ON COLUMN history.flights.east IS 'Eastern edge of its positions';
COMMENT ON COLUMN history.flights.distance_nm IS 'Sum of the legs between its positions on the WGS 84 ellipsoid, nautical miles';
COMMENT ON COLUMN history.flights.average_ground_speed_kt IS 'Reported ground speeds weighted by time, knots';
COMMENT ON COLUMN history.flights.max_ground_speed_kt IS 'Greatest reported ground speed, knots';
COMMENT ON COLUMN history.flights.positions IS 'Number of its positions';
COMMENT ON COLUMN history.flights.max_altitude_ft IS 'Greatest barometric altitude, feet';
COMMENT ON COLUMN history.flights.takeoff_confidence IS 'Probability, by the model, that takeoff_time is within two minutes of the truth';
COMMENT ON COLUMN history.flights.landing_confidence IS 'Probability, by the model, that landing_time is within two minutes of the truth';
COMMENT ON COLUMN history.flights.departure_confidence IS 'Probability, by the model, that departure_airport is the right one';
COMMENT ON COLUMN history.flights.arrival_confidence IS 'Probability, by the model, that arrival_airport is the right one';
COMMENT ON COLUMN history.flights.on_ground_s IS 'Seconds on the ground';
COMMENT ON COLUMN history.flights.below_3000_ft_s IS 'Seconds in the air below 3,000 ft, barometric';
COMMENT ON COLUMN history.flights.from_3000_ft_s IS 'Seconds from 3,000 to 10,000 ft';
COMMENT ON COLUMN history.flights.from_10000_ft_s IS 'Seconds from 10,000 to 25,000 ft';
COMMENT ON COLUMN history.flights.from_25000_ft_s IS 'Seconds from 25,000 to 35,000 ft';
COMMENT ON COLUMN history.flights.from_35000_ft_s IS 'Seconds at 35,000 ft and above';
COMMENT ON COLUMN history.flights.unknown_s IS 'Seconds for which the altitude is not known, gaps among them; with the others, the whole duration';
COMMENT ON COLUMN history.flights.gap_count IS 'Stretches of more than five minutes without a position';
COMMENT ON COLUMN history.flights.gap_s IS 'Seconds in such gaps';
COMMENT ON COLUMN history.flights.longest_gap_s IS 'Seconds of the longest; 0 where there is none';
COMMENT ON COLUMN history.flights.final IS 'Whether nothing has come of it for an hour; until then it may go on';
COMMENT ON COLUMN history.flights.callsign IS 'The last callsign that it told';
COMMENT ON COLUMN history.flights.departure_airport IS 'ICAO location indicator of where it came from, inferred; NULL rather than a wrong one';
COMMENT ON COLUMN history.flights.arrival_airport IS 'ICAO location indicator of where it went, inferred; NULL rather than a wrong one, and while it is in the air';
COMMENT ON COLUMN history.flights.callsigns IS 'All callsigns that it told, the last at the end';
COMMENT ON COLUMN history.flights.gaps IS 'The gaps in order of time: from, to, distance_nm';

CREATE TABLE history.flight_hours (
    hour timestamptz PRIMARY KEY,
    derived_at timestamptz NOT NULL,
    last_time timestamptz,
    flights integer NOT NULL,
    positions bigint NOT NULL
);

COMMENT ON TABLE history.flight_hours IS 'The hours whose flights are in history.flights, and up to when';
COMMENT ON COLUMN history.flight_hours.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN history.flight_hours.derived_at IS 'When its flights were last derived; before it closed, flights of its rest are missing';
COMMENT ON COLUMN history.flight_hours.last_time IS 'Time of the newest position that was looked at';
COMMENT ON COLUMN history.flight_hours.flights IS 'Flights with a position in the hour';
COMMENT ON COLUMN history.flight_hours.positions IS 'Positions of the hour that were looked at';

DROP VIEW analytics.flights;

CREATE VIEW analytics.flights AS
SELECT
    analytics.flight_id_text(f.flight_id) AS flight_id,
    analytics.icao24_text(f.flight_id >> 32) AS icao24,
    f.callsign,
    a.registration,
    a.type_code,
    a.operator,
    f.first_time,
    f.last_time,
    f.departure_airport,
    f.departure_confidence,
    f.takeoff_time,
    f.takeoff_confidence,
    f.arrival_airport,
    f.arrival_confidence,
    f.landing_time,
    f.landing_confidence,
    f.positions,
    f.distance_nm,
    f.average_ground_speed_kt,
    f.max_ground_speed_kt,
    f.max_altitude_ft,
    f.on_ground_s,
    f.below_3000_ft_s,
    f.from_3000_ft_s,
    f.from_10000_ft_s,
    f.from_25000_ft_s,
    f.from_35000_ft_s,
    f.unknown_s,
    f.gap_count,
    f.gap_s,
    f.longest_gap_s,
    f.gaps,
    f.first_latitude,
    f.first_longitude,
    f.last_latitude,
    f.last_longitude,
    f.callsigns,
    f.final,
    f.derived_at,
    f.flight_id AS flight_key
FROM history.flights AS f
LEFT JOIN reference.aircraft AS a ON a.icao24 = analytics.icao24_text(f.flight_id >> 32);

COMMENT ON VIEW analytics.flights IS
    'One row a flight, those in the air as they were up to five minutes ago (derived_at). A condition on first_time, callsign or flight_key is by index; a flight lasts 36 hours at most, so those of a window are first_time >= its start - 36 hours AND first_time < its end AND last_time >= its start';
COMMENT ON COLUMN analytics.flights.flight_id IS 'The flight, as in 3c6444-67a1b2c3';
COMMENT ON COLUMN analytics.flights.icao24 IS 'ICAO 24-bit address, six hex digits; a leading ~ where it is no ICAO address';
COMMENT ON COLUMN analytics.flights.callsign IS 'The last callsign that it told';
COMMENT ON COLUMN analytics.flights.registration IS 'Registration of the aircraft, by analytics.aircraft as it is now';
COMMENT ON COLUMN analytics.flights.type_code IS 'ICAO type designator of the aircraft';
COMMENT ON COLUMN analytics.flights.operator IS 'Operator of the aircraft';
COMMENT ON COLUMN analytics.flights.first_time IS 'Time of its first position';
COMMENT ON COLUMN analytics.flights.last_time IS 'Time of its last position';
COMMENT ON COLUMN analytics.flights.departure_airport IS 'ICAO location indicator of where it came from, inferred; NULL rather than a wrong one';
COMMENT ON COLUMN analytics.flights.departure_confidence IS 'Probability, by the model, that it is the right one';
COMMENT ON COLUMN analytics.flights.takeoff_time IS 'When it left the ground, inferred';
COMMENT ON COLUMN analytics.flights.takeoff_confidence IS 'Probability, by the model, that it is within two minutes of the truth';
COMMENT ON COLUMN analytics.flights.arrival_airport IS 'ICAO location indicator of where it went, inferred; NULL rather than a wrong one, and while it is in the air';
COMMENT ON COLUMN analytics.flights.arrival_confidence IS 'Probability, by the model, that it is the right one';
COMMENT ON COLUMN analytics.flights.landing_time IS 'When it came back to the ground for the last time, inferred';
COMMENT ON COLUMN analytics.flights.landing_confidence IS 'Probability, by the model, that it is within two minutes of the truth';
COMMENT ON COLUMN analytics.flights.positions IS 'Number of its positions';
COMMENT ON COLUMN analytics.flights.distance_nm IS 'Sum of the legs between its positions on the WGS 84 ellipsoid, nautical miles';
COMMENT ON COLUMN analytics.flights.average_ground_speed_kt IS 'Reported ground speeds weighted by time, knots';
COMMENT ON COLUMN analytics.flights.max_ground_speed_kt IS 'Greatest speed over ground, knots';
COMMENT ON COLUMN analytics.flights.max_altitude_ft IS 'Greatest barometric altitude, feet';
COMMENT ON COLUMN analytics.flights.on_ground_s IS 'Seconds on the ground';
COMMENT ON COLUMN analytics.flights.below_3000_ft_s IS 'Seconds in the air below 3,000 ft, barometric';
COMMENT ON COLUMN analytics.flights.from_3000_ft_s IS 'Seconds from 3,000 to 10,000 ft';
COMMENT ON COLUMN analytics.flights.from_10000_ft_s IS 'Seconds from 10,000 to 25,000 ft';
COMMENT ON COLUMN analytics.flights.from_25000_ft_s IS 'Seconds from 25,000 to 35,000 ft';
COMMENT ON COLUMN analytics.flights.from_35000_ft_s IS 'Seconds at 35,000 ft and above';
COMMENT ON COLUMN analytics.flights.unknown_s IS 'Seconds for which the altitude is not known, gaps among them; with the others, the whole duration';
COMMENT ON COLUMN analytics.flights.gap_count IS 'Stretches of more than five minutes without a position';
COMMENT ON COLUMN analytics.flights.gap_s IS 'Seconds in such gaps';
COMMENT ON COLUMN analytics.flights.longest_gap_s IS 'Seconds of the longest; 0 where there is none';
COMMENT ON COLUMN analytics.flights.gaps IS 'The gaps in order of time: from, to, distance_nm';
COMMENT ON COLUMN analytics.flights.first_latitude IS 'Of its first position, degrees WGS 84, north positive';
COMMENT ON COLUMN analytics.flights.first_longitude IS 'Of its first position, degrees WGS 84, east positive';
COMMENT ON COLUMN analytics.flights.last_latitude IS 'Of its last position, degrees WGS 84, north positive';
COMMENT ON COLUMN analytics.flights.last_longitude IS 'Of its last position, degrees WGS 84, east positive';
COMMENT ON COLUMN analytics.flights.callsigns IS 'All callsigns that it told, the last at the end';
COMMENT ON COLUMN analytics.flights.final IS 'Whether nothing has come of it for an hour; until then it may go on';
COMMENT ON COLUMN analytics.flights.derived_at IS 'When the row was made';
COMMENT ON COLUMN analytics.flights.flight_key IS 'flight_id as a number: the primary key';
