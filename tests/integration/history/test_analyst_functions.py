"""The analysts' functions: right against what is computed elsewhere, and their plans touch what they must alone."""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from geographiclib.geodesic import Geodesic

from flight_platform.history.partitions import HOUR, ensure_ahead, ensure_chunk_day
from flight_platform.model import format_flight_id, make_flight_id
from serving.history_answers import GeojsonWriter
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

NOW = datetime(2026, 9, 21, 14, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
FLIGHT = make_flight_id(0x4CA001, NOW_S)
FLIGHT_ID = format_flight_id(FLIGHT)


def value(analyst: psycopg.Connection, statement: str, *parameters: Any) -> Any:
    row = analyst.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def fly(connection: psycopg.Connection, *reports: dict[str, Any]) -> None:
    """One flight; each report says when (seconds after its birth) and what."""
    fill(
        connection,
        [report("4ca001", NOW_S, (NOW_S + fields.pop("after_s")) * 1000, **fields) for fields in reports],
    )


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ((47.4, 8.5), (40.6, -73.8)),
        ((-33.9, 151.2), (37.6, -122.4)),
        ((0.0, 179.5), (0.0, -179.5)),
        ((89.0, 0.0), (89.0, 180.0)),
    ],
    ids=["zurich-new-york", "sydney-san-francisco", "antimeridian", "pole"],
)
def test_distance_and_bearing(analyst: psycopg.Connection, place: tuple[float, ...], other: tuple[float, ...]) -> None:
    true = Geodesic.WGS84.Inverse(*place, *other)
    distance, bearing = value(
        analyst, "SELECT distance_nm(%s, %s, %s, %s), bearing_deg(%s, %s, %s, %s)", *(place + other) * 2
    )
    assert distance == pytest.approx(true["s12"] / 1852, rel=0.006)
    turned = (bearing - true["azi1"] + 180) % 360 - 180
    assert abs(turned) < 0.5
    assert 0 <= bearing < 360


def test_distance_of_a_place_from_itself_and_from_the_unknown(analyst: psycopg.Connection) -> None:
    assert value(analyst, "SELECT distance_nm(1, 2, 1, 2), bearing_deg(1, 2, 1, 2)") == (0, 0)
    assert value(analyst, "SELECT distance_nm(1, 2, NULL, 2), bearing_deg(1, 2, 1, NULL)") == (None, None)


@pytest.fixture
def airports(connection: psycopg.Connection) -> Iterator[None]:
    """Two fields four miles apart, one across the antimeridian, and thousands elsewhere."""
    rows = [("LAAA", 10.0, 20.0), ("LBBB", 10.0, 20.07), ("NFFF", -17.0, -179.99)]
    rows += [(f"X{n:04d}", -60 + n / 25, n % 360 - 180.0) for n in range(3_000)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reference.airports (icao, name, latitude, longitude) VALUES (%s, 'a field', %s, %s)", rows
        )
    connection.execute("ANALYZE reference.airports")
    yield
    connection.execute("TRUNCATE reference.airports")


def test_nearest_airport(airports: None, analyst: psycopg.Connection) -> None:
    question = "SELECT icao, distance_nm, bearing_deg FROM nearest_airport(%s, %s, %s)"
    icao, distance, bearing = value(analyst, question, 10.0, 20.05, 20)
    assert (icao, bearing) == ("LBBB", pytest.approx(90, abs=0.1))
    assert distance == pytest.approx(0.02 * 60 * math.cos(math.radians(10)), rel=0.01)
    assert value(analyst, question, -17.0, 179.99, 5)[0] == "NFFF"
    assert analyst.execute(question.encode(), [10.0, 21.0, 5]).fetchone() is None
    pairs = analyst.execute(
        "SELECT a.icao, near.icao FROM airports AS a, LATERAL nearest_airport(a.latitude, a.longitude) AS near"
        " WHERE a.icao IN ('LAAA', 'NFFF') ORDER BY 1"
    ).fetchall()
    assert pairs == [("LAAA", "LAAA"), ("NFFF", "NFFF")]
    plan = str(analyst.execute("EXPLAIN SELECT * FROM nearest_airport(10.0, 20.05, 20)").fetchall())
    assert "airports_latitude" in plan


def test_boxes_and_circles(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    places = [(10.0, 20.0), (10.5, 20.0), (10.0, 179.9), (10.0, -179.9)]
    fly(
        connection,
        *(
            {"after_s": n, "latitude": latitude, "longitude": longitude}
            for n, (latitude, longitude) in enumerate(places)
        ),
    )
    box = "SELECT count(*) FROM positions_in_box(%s, %s, %s, %s, %s, %s)"
    window = (NOW, NOW + HOUR)
    assert value(analyst, box, 19.0, 9.0, 21.0, 10.0, *window) == 1
    assert value(analyst, box, 19.0, 9.0, 21.0, 11.0, *window) == 2
    assert value(analyst, box, 179.0, 9.0, -179.0, 11.0, *window) == 2
    assert value(analyst, box, 19.0, 9.0, 21.0, 11.0, NOW + HOUR, NOW + 2 * HOUR) == 0
    near = "SELECT count(*) FROM positions_near(%s, %s, %s, %s, %s)"
    assert value(analyst, near, 10.0, 20.0, 29.9, *window) == 1
    assert value(analyst, near, 10.0, 20.0, 30.1, *window) == 2
    assert value(analyst, near, 10.0, -180.0, 10.0, *window) == 2


def test_time_in_band(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    """Up evenly in 200 s, level, 400 s without a word, an unknown altitude within a leg."""
    profile = [(0, 0), (100, 5_000), (150, None), (200, 10_000), (300, 10_000), (700, 10_000), (800, 10_000)]
    fly(connection, *({"after_s": after, "altitude_ft": altitude} for after, altitude in profile))
    band = "SELECT time_in_band(%s, %s, %s)"
    assert value(analyst, band, FLIGHT_ID, 2_500, 7_500) == timedelta(seconds=100)
    assert value(analyst, band, FLIGHT_ID, 10_000, 10_000) == timedelta(seconds=200)
    assert value(analyst, band, FLIGHT_ID, 20_000, 30_000) == timedelta(0)
    assert value(analyst, band, "4ca002-67a1b2c3", 0, 10_000) is None


TRACKS: dict[str, list[tuple[float, float, int | None]]] = {
    "a line": [(10.0, 20.0, 0), (10.5, 20.25, None), (11.0, 20.5, 900)],
    "one point": [(10.0, 20.0, 0)],
    "across the antimeridian and back": [
        (10.0, 179.5, 100),
        (10.5, -179.75, 200),
        (11.0, -179.5, None),
        (11.5, 179.0, 400),
    ],
}


@pytest.mark.parametrize("name", TRACKS)
def test_geojson_is_that_of_the_api(name: str, connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    places = TRACKS[name]
    fly(
        connection,
        *(
            {"after_s": 10 * n, "latitude": latitude, "longitude": longitude, "altitude_ft": altitude}
            for n, (latitude, longitude, altitude) in enumerate(places)
        ),
    )
    rows = [
        {
            "time": NOW + timedelta(seconds=10 * n),
            "latitude": latitude,
            "longitude": longitude,
            "altitude_ft": altitude,
            "callsign": "TEST123",
        }
        for n, (latitude, longitude, altitude) in enumerate(places)
    ]
    writer = GeojsonWriter(FLIGHT_ID)
    writer.part(rows)
    assert value(analyst, "SELECT track_geojson(%s)", FLIGHT_ID) == json.loads(b"".join(writer.end()))


def test_geojson_of_an_unknown_flight_is_unknown(analyst: psycopg.Connection) -> None:
    assert value(analyst, "SELECT track_geojson('4ca002-67a1b2c3')") is None


def leaves(analyst: psycopg.Connection, statement: str, *parameters: Any) -> set[str]:
    """The hours of raw positions and the days of chunks that a statement reads."""
    plan = analyst.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
    return {word for (line,) in plan for word in re.findall(r"\b(?:positions_\d{10}|chunks_\d{8})\b", line)}


@pytest.mark.parametrize(
    "question",
    ["positions_in_box(1, 2, 3, 4, %s, %s)", "positions_near(1, 2, 3, %s, %s)", "positions_between(%s, %s)"],
    ids=["box", "circle", "between"],
)
def test_they_prune(question: str, connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    ensure_ahead(connection, NOW, days=2)
    for days in range(-3, 3):
        ensure_chunk_day(connection, NOW + days * 24 * HOUR)
    read = leaves(analyst, f"SELECT * FROM {question}", NOW + HOUR, NOW + 2 * HOUR)  # noqa: S608  # one of ours
    assert read == {"positions_2026092115", "chunks_20260921"}
