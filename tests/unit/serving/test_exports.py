"""Each file is read back by a reader of its format, and says what the track said."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import gpxpy
import pytest
from pyarrow import parquet

from serving.exports import COLUMNS
from serving.history_answers import TRACKS

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


def written(form: str, *portions: list[dict[str, Any]]) -> bytes:
    """A track as it is sent, portion after portion."""
    writer = TRACKS[form].writer(FLIGHT)
    parts = [part for rows in portions for part in writer.part(rows)]
    return b"".join([*parts, *writer.end()])


@pytest.mark.parametrize(
    "form", sorted({*TRACKS} - {"kml", "parquet"})
)  # those have portions of their own, in the same order
def test_in_portions_or_at_once_it_is_the_same(form: str) -> None:
    whole = written(form, ROWS)
    assert written(form, ROWS[:2], ROWS[2:]) == whole
    assert written(form, *([one] for one in ROWS)).replace(b"<name>3c6444-67a1b2c3<", b"<name>DLH9<") == whole


def test_gpx() -> None:
    (track,) = gpxpy.parse(written("gpx", ROWS, [BARE]).decode()).tracks
    assert (track.name, track.description) == ("DLH9", FLIGHT)
    points = track.segments[0].points
    assert [point.elevation for point in points] == [0.0, pytest.approx(11_277.6), pytest.approx(304.8), None]
    assert [point.time for point in points] == [told["time"] for told in [*ROWS, BARE]]
    assert (points[1].latitude, points[1].longitude) == (48.5, 8.25)


def test_kml() -> None:
    text = written("kml", ROWS[:2], ROWS[2:])
    assert text.startswith(b"<?xml")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own
    names = {"kml": "http://www.opengis.net/kml/2.2", "gx": "http://www.google.com/kml/ext/2.2"}
    assert [when.text for when in root.iterfind(".//kml:when", names)][:1] == ["2026-01-31T12:00:00.250Z"]
    coordinates = [coord.text for coord in root.iterfind(".//gx:coord", names)]
    assert coordinates == ["8.25 47.5 0.0", "8.25 48.5 11277.6", "8.25 49.5 304.8"]
    assert len(root.findall(".//gx:MultiTrack/gx:Track", names)) == 2


def test_csv() -> None:
    lines = list(csv.DictReader(io.StringIO(written("csv", ROWS).decode())))
    assert list(lines[0]) == list(COLUMNS)
    assert (lines[0]["altitude_ft"], lines[0]["on_ground"], lines[0]["time"]) == (
        "0",
        "true",
        "2026-01-31T12:00:00.250Z",
    )
    assert (lines[2]["altitude_ft"], lines[2]["squawk"]) == ("", "")


def test_parquet() -> None:
    many = [ROWS * 5_000] * 2
    file = parquet.ParquetFile(io.BytesIO(written("parquet", *many, ROWS)))
    assert file.num_row_groups == 2  # 30,000 rows are worth one, and then there are three more
    table = file.read()
    assert table.schema.names == list(COLUMNS)
    assert table.num_rows == 30_003
    assert table.slice(30_000).to_pylist() == ROWS
    assert parquet.read_table(io.BytesIO(written("parquet", ROWS))).to_pylist() == ROWS
