"""Each file is read back by a reader of its format, and says what the track said."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import gpxpy
import pytest
from pyarrow import parquet

from serving.exports import COLUMNS, track_csv, track_gpx, track_kml, track_parquet

FLIGHT = "3c6444-67a1b2c3"
START = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


def row(number: int, **fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    time = START + timedelta(seconds=10 * number)
    values |= {"flight_id": FLIGHT, "icao24": "3c6444", "time": time, "received_at": time, "source": "paris"}
    values |= {"latitude": 47.5 + number, "longitude": 8.25, "altitude_ft": 0, "on_ground": number == 0}
    return values | fields


ROWS = [row(0), row(1, altitude_ft=37_000, callsign="DLH9"), row(2, altitude_ft=None, geometric_altitude_ft=1_000)]
BARE = row(3, altitude_ft=None)


def test_gpx() -> None:
    (track,) = gpxpy.parse(track_gpx(FLIGHT, [*ROWS, BARE]).decode()).tracks
    assert (track.name, track.description) == ("DLH9", FLIGHT)
    points = track.segments[0].points
    assert [point.elevation for point in points] == [0.0, pytest.approx(11_277.6), pytest.approx(304.8), None]
    assert [point.time for point in points] == [told["time"] for told in [*ROWS, BARE]]
    assert (points[1].latitude, points[1].longitude) == (48.5, 8.25)


def test_kml() -> None:
    root = ElementTree.fromstring(track_kml(FLIGHT, ROWS))  # noqa: S314  # our own
    names = {"kml": "http://www.opengis.net/kml/2.2", "gx": "http://www.google.com/kml/ext/2.2"}
    assert [when.text for when in root.iterfind(".//kml:when", names)][:1] == ["2026-01-31T12:00:00.250Z"]
    coordinates = [coord.text for coord in root.iterfind(".//gx:coord", names)]
    assert coordinates[1] == "8.25 48.5 11277.6"


def test_csv() -> None:
    lines = list(csv.DictReader(io.StringIO(track_csv(FLIGHT, ROWS).decode())))
    assert list(lines[0]) == list(COLUMNS)
    assert (lines[0]["altitude_ft"], lines[0]["on_ground"], lines[0]["time"]) == (
        "0",
        "true",
        "2026-01-31T12:00:00.250Z",
    )
    assert (lines[2]["altitude_ft"], lines[2]["squawk"]) == ("", "")


def test_parquet() -> None:
    table = parquet.read_table(io.BytesIO(track_parquet(FLIGHT, ROWS)))
    assert table.schema.names == list(COLUMNS)
    assert table.to_pylist() == ROWS
