"""Flights derived from positions in a real Postgres: whole, the same whatever the order, final when silent."""

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flight_platform.flights.airports import Airports, Guess
from flight_platform.flights.paths import End
from flight_platform.history import queries
from flight_platform.history.compaction import compact_hour
from flight_platform.history.flights import derive_hour, derive_open, derive_silent, read_airports
from flight_platform.history.partitions import HOUR
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Position, format_flight_id
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

START = datetime(2026, 9, 21, 14, 40, tzinfo=UTC)
BORN_S = int(START.timestamp())
FIRST_HOUR = START.replace(minute=0)
LATER = START + timedelta(hours=5)

_FIELDS = """
    INSERT INTO reference.airports (icao, iata, name, latitude, longitude, elevation_ft)
    VALUES ('AANN', 'NNN', 'North', 50, 8, 300), ('AASS', 'SSS', 'South', 48, 8, 1500)
    ON CONFLICT DO NOTHING
"""
_CLEAR = "TRUNCATE history.flights, history.flight_hours, ops.hours"


@pytest.fixture
def airports(connection: psycopg.Connection) -> Iterator[Airports]:
    connection.execute(_CLEAR)
    connection.execute(_FIELDS)
    yield read_airports(connection)
    connection.execute("TRUNCATE reference.airports, reference.runways, reference.aircraft")


def hop(icao24: str = "4ca001", *, until_s: float = math.inf, step_s: int = 10) -> list[Position]:
    """North to South over the turn of an hour, as in the unit tests: 60 s of taxi, 240 kt, 20,000 ft, a taxi."""
    way_nm, knots = 120 - 1.3, 240.0
    rows = []
    for second in range(0, int(60 + way_nm / knots * 3600 + 120), step_s):
        flown_nm = min(max(second - 60, 0.0) * knots / 3600, way_nm)
        on_ground = second < 60 or flown_nm == way_nm
        feet = min(300 + flown_nm * 720, 20_000, 1_500 + (way_nm - flown_nm) * 318)
        rows.append(
            report(
                icao24,
                BORN_S,
                (BORN_S + second) * 1000,
                latitude=50.0 - (0.3 + flown_nm) / 60,
                longitude=8.0,
                altitude_ft=round(feet),
                ground_speed_kt=15.0 if on_ground else knots,
                track_deg=180.0,
                on_ground=on_ground,
                callsign="HOP1",
            )
        )
    return [row for row in rows if row.time <= (BORN_S + until_s) * 1000]


def rows(connection: psycopg.Connection, *, derived_at: bool = False) -> list[dict[str, Any]]:
    """All flights as analysts see them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("SELECT * FROM analytics.flights ORDER BY flight_key").fetchall()
    for row in found:
        if not derived_at:
            del row["derived_at"]
    return found


def test_a_flight_over_two_hours_is_one_row_with_its_ends(
    connection: psycopg.Connection, analyst: psycopg.Connection, airports: Airports
) -> None:
    fill(connection, hop())
    connection.execute(
        "INSERT INTO reference.aircraft (icao24, registration, type_code) VALUES ('4ca001', 'EI-ABC', 'B738')"
    )
    derived = derive_hour(connection, FIRST_HOUR, airports, LATER)
    assert (derived.flights, derived.ended, derived.departures, derived.arrivals) == (1, 1, 1, 1)
    (row,) = rows(analyst)
    assert row["flight_id"] == format_flight_id(hop()[0].flight_id or 0)
    assert (row["icao24"], row["callsign"], row["callsigns"]) == ("4ca001", "HOP1", ["HOP1"])
    assert (row["registration"], row["type_code"]) == ("EI-ABC", "B738")
    assert (row["departure_airport"], row["arrival_airport"]) == ("AANN", "AASS")
    assert row["departure_confidence"] > 0.9
    assert abs(row["takeoff_time"] - START - timedelta(seconds=60)) < timedelta(seconds=15)
    assert abs(row["landing_time"] - START - timedelta(seconds=1840)) < timedelta(seconds=15)
    assert (row["first_time"], row["positions"], row["max_altitude_ft"]) == (START, len(hop()), 20_000)
    assert row["distance_nm"] == pytest.approx(118.7, rel=0.005)
    assert (row["max_ground_speed_kt"], row["gap_count"], row["gaps"], row["final"]) == (240, 0, [], True)
    bands = sum(seconds for name, seconds in row.items() if name.endswith("_s") and "gap" not in name)
    assert bands == pytest.approx((row["last_time"] - row["first_time"]).total_seconds(), abs=1)


def test_any_order_and_any_repetition_gives_the_same_rows(connection: psycopg.Connection, airports: Airports) -> None:
    fill(connection, [*hop(), *hop("4ca002"), *hop("~4ca003", step_s=400)])
    for hour in (FIRST_HOUR + HOUR, FIRST_HOUR):
        derive_hour(connection, hour, airports, LATER)
    backward = rows(connection)
    connection.execute(_CLEAR)
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR, FIRST_HOUR):
        derive_hour(connection, hour, airports, LATER)
    assert rows(connection) == backward
    assert [row["gap_count"] for row in backward] == [0, 0, 4]
    hours = connection.execute("SELECT hour, flights, positions FROM history.flight_hours ORDER BY hour").fetchall()
    assert [row[1] for row in hours] == [3, 3]
    assert sum(row[2] for row in hours) == sum(row["positions"] for row in backward)


def test_late_rows_change_the_flight_and_nothing_else(connection: psycopg.Connection, airports: Airports) -> None:
    late = hop()[50:60]
    fill(connection, [p for p in hop() if p not in late] + hop("4ca002"))
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    before = rows(connection)
    fill(connection, late)
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    after = rows(connection)
    assert [row["positions"] for row in after] == [len(hop()), len(hop())]
    assert before[0]["positions"] == len(hop()) - 10
    assert after[1] == before[1]


def test_a_flight_in_the_air_follows_and_ends_when_it_is_silent(
    connection: psycopg.Connection, airports: Airports
) -> None:
    fill(connection, hop(until_s=1_100))
    now = START + timedelta(seconds=1_110)
    derive_open(connection, airports, now)
    (row,) = rows(connection)
    assert (row["final"], row["departure_airport"], row["arrival_airport"]) == (False, "AANN", None)
    fill(connection, hop(until_s=1_780)[111:])  # low, at the field, and then no more
    derive_open(connection, airports, START + timedelta(seconds=1_800))
    (row,) = rows(connection)
    assert (row["positions"], row["final"], row["landing_time"]) == (179, False, None)
    assert derive_silent(connection, airports, START + timedelta(seconds=5_300)).flights == 0
    assert derive_silent(connection, airports, START + timedelta(seconds=5_400)).ended == 1
    (row,) = rows(connection)
    assert (row["final"], row["arrival_airport"]) == (True, "AASS")
    assert abs(row["landing_time"] - START - timedelta(seconds=1840)) < timedelta(seconds=60)
    assert derive_silent(connection, airports, LATER).flights == 0


class Failing(Airports):
    """Airports whose second guess no table takes: the run fails when the first flight is written already."""

    asked = 0

    def guess(self, end: End) -> Guess | None:  # the interface's
        self.asked += 1
        return Guess(icao="AANN", confidence=0.9 if self.asked < 3 else 2.0, distance_nm=1.0, height_ft=0.0)


def test_a_run_that_is_killed_leaves_the_hour_as_it_was(connection: psycopg.Connection, airports: Airports) -> None:
    fill(connection, [*hop(until_s=600), *hop("4ca002", until_s=600)])
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    before = rows(connection, derived_at=True)
    hours = connection.execute("SELECT * FROM history.flight_hours").fetchall()
    fill(connection, [*hop()[61:], *hop("4ca002")[61:]])
    with pytest.raises(psycopg.errors.CheckViolation):
        derive_hour(connection, FIRST_HOUR, Failing([]), LATER)
    assert rows(connection, derived_at=True) == before
    assert connection.execute("SELECT * FROM history.flight_hours").fetchall() == hours
    derive_hour(connection, FIRST_HOUR, airports, LATER)  # nothing is locked
    assert rows(connection) != before


def test_flights_are_the_same_from_chunks(connection: psycopg.Connection, airports: Airports) -> None:
    fill(connection, [*hop(), *hop("4ca002", step_s=3, until_s=900), *hop("~4ca003", step_s=400)])
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR):
        derive_hour(connection, hour, airports, LATER)
    raw = rows(connection)
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR):
        record_verdict(connection, hour, passed=True, rows=1, failures=[])
        compact_hour(connection, hour, LATER)
    assert connection.execute("SELECT count(*) FROM history.positions").fetchone() == (0,)
    connection.execute("TRUNCATE history.flights, history.flight_hours")
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR):
        derive_hour(connection, hour, airports, LATER)
    assert rows(connection) == raw


def test_what_has_left_the_database_keeps_its_row(connection: psycopg.Connection, airports: Airports) -> None:
    fill(connection, hop())
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    before = rows(connection)
    connection.execute("DELETE FROM history.positions WHERE time < %s", [FIRST_HOUR + HOUR])
    connection.execute("INSERT INTO ops.hours (hour, dropped_at) VALUES (%s, now())", [FIRST_HOUR])
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    derive_hour(connection, FIRST_HOUR + HOUR, airports, LATER)
    assert rows(connection) == before


def test_an_empty_hour_is_nothing(connection: psycopg.Connection, airports: Airports) -> None:
    assert derive_hour(connection, FIRST_HOUR, airports, LATER).flights == 0
    assert derive_open(connection, airports, START).flights == 0


WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"from_time": START + timedelta(seconds=700), "to_time": START + timedelta(seconds=720)},  # within a gap of 400 s
    {"from_time": START + timedelta(seconds=790), "to_time": START + timedelta(seconds=810)},
    {"from_time": START + timedelta(seconds=1_700), "to_time": START + HOUR},
    {"from_time": START + 2 * HOUR},
    {"to_time": START},
    {"icao24": "4ca002"},
    {"icao24": "~4ca003"},
    {"callsign": "HOP1"},
    {"callsign": "OLD"},
    {"callsign": "HOP"},
    {"bbox": (7.9, 49.0, 8.1, 49.5)},
    {"bbox": (7.9, 49.0, 8.1, 49.5), "from_time": START + timedelta(seconds=1_500)},
    {"bbox": (179.5, 49.0, -179.5, 51.0)},
    {"bbox": (-180.0, 49.0, -179.5, 51.0)},
    {"bbox": (179.95, 49.0, -179.95, 51.0)},
    {"limit": 2},
)


def listed(database: DatabaseUrls, *questions: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the history API answers with."""
    whole = {"from_time": START - HOUR, "to_time": START + 4 * HOUR, "limit": 100}
    absent = {"icao24": None, "callsign": None, "bbox": None, "after": None}

    async def asked() -> list[list[dict[str, Any]]]:
        async with await psycopg.AsyncConnection.connect(database["postgres_url"]) as asking:
            answers = [await queries.flights(asking, **{**whole, **absent, **question}) for question in questions]
            return [[dict(row) for row in answer] for answer in answers]

    return asyncio.run(asked())


def without_ends(answers: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The answers without what is inferred."""
    inferred = {"departure_airport", "takeoff_time", "arrival_airport", "landing_time"}
    return [[{k: v for k, v in row.items() if k not in inferred} for row in rows] for rows in answers]


def test_the_api_lists_the_same_flights_before_and_after_they_are_derived(
    database: DatabaseUrls, connection: psycopg.Connection, airports: Airports
) -> None:
    over_the_line = [
        report("4ca004", BORN_S, (BORN_S + n) * 1000, longitude=179.9 + n / 50 - 360 * (n >= 5), callsign="OLD")
        for n in range(10)
    ]
    fill(connection, [*hop(), *hop("4ca002"), *hop("~4ca003", step_s=400), *over_the_line])

    raw = listed(database, *WINDOWS)
    assert [len(found) for found in raw] == [4, 2, 3, 2, 0, 0, 1, 1, 3, 1, 0, 3, 0, 1, 1, 1, 2]
    derive_hour(connection, FIRST_HOUR, airports, FIRST_HOUR + timedelta(minutes=50))  # and the rest is fresh
    assert without_ends(listed(database, *WINDOWS)) == without_ends(raw)
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR):
        derive_hour(connection, hour, airports, LATER)
    derived = listed(database, *WINDOWS)
    assert without_ends(derived) == without_ends(raw)
    assert (derived[0][-1]["departure_airport"], derived[0][-1]["arrival_airport"]) == ("AANN", "AASS")


def test_what_is_derived_is_not_looked_for_in_positions(
    database: DatabaseUrls, connection: psycopg.Connection, airports: Airports
) -> None:
    fill(connection, hop())
    for hour in (FIRST_HOUR, FIRST_HOUR + HOUR):
        derive_hour(connection, hour, airports, LATER)
    connection.execute("UPDATE history.flights SET callsign = 'DERIVED'")

    ((row,),) = listed(database, {"from_time": FIRST_HOUR, "to_time": FIRST_HOUR + 2 * HOUR})
    assert row["callsign"] == "DERIVED"


def test_what_prunes(connection: psycopg.Connection, analyst: psycopg.Connection, airports: Airports) -> None:
    """A window, a callsign and a flight key are found by index."""
    fill(connection, hop())
    derive_hour(connection, FIRST_HOUR, airports, LATER)
    analyst.execute("SET enable_seqscan = off")
    for condition, index in (
        (b"first_time >= '2026-09-20' AND first_time < '2026-09-22'", "flights_first_time"),
        (b"callsign = 'HOP1'", "flights_callsign"),
        (b"flight_key = 5", "flights_pkey"),
    ):
        assert index in str(analyst.execute(b"EXPLAIN SELECT * FROM flights WHERE " + condition).fetchall())
