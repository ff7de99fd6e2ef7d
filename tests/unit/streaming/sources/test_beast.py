"""The source `beast`: captures, settings, and what is told of what is no frame."""

import csv
import gzip
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flight_platform.errors import SettingsError
from flight_platform.model import Position
from flight_platform.settings import Settings
from streaming.sources import cpr, open_source
from streaming.sources.base import Batch
from tests.mode_s import airborne, beast, squitter

START = "2018-04-03T19:02:28.136Z"
START_MS = 1_522_782_148_136
SECOND = 12_000_000
PAIR = [beast(squitter(airborne(59.7, 32.0, odd=odd)), counter=1_000_000 + odd * SECOND // 2) for odd in (False, True)]


def batches(kind: str = "beast", **options: Any) -> list[Batch]:
    """All batches of a source."""
    return list(open_source(kind, Settings.read(), **options).batches(threading.Event()))


@pytest.mark.parametrize("packed", [False, True])
def test_a_capture_packed_or_not(tmp_path: Path, packed: bool) -> None:
    content = b"".join(PAIR * 2)  # each block once more
    capture = tmp_path / "capture"
    capture.write_bytes(gzip.compress(content) if packed else content)
    read = batches(file=capture, start=START)
    ((position,), (original,)) = next((batch.positions, batch.originals) for batch in read if batch.positions)
    assert (position.icao24, position.time) == ("3c6444", START_MS + 500)
    assert original == squitter(airborne(59.7, 32.0, odd=True)).hex()
    assert read[0].clock_ms == START_MS + 500
    assert sum(len(batch.positions) for batch in read) == 1


def test_a_gps_clock_tells_the_time_of_the_day(tmp_path: Path) -> None:
    seconds = 19 * 3600 + 2 * 60 + 30
    frames = [
        beast(squitter(airborne(59.7, 32.0, odd=odd)), counter=seconds << 30 | 250_000_000 + odd)
        for odd in (False, True)
    ]
    capture = tmp_path / "capture"
    capture.write_bytes(b"".join(frames))
    (batch, _) = batches(file=capture, start="2018-04-03", clock="gps")
    assert batch.positions[0].time == round(datetime.fromisoformat("2018-04-03T19:02:30.250Z").timestamp() * 1000)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MSG,3,1,1,400159,1,2018/04/03\r\n" * 300, "feed it with the source sbs"),
        (b"*8d71be3458b503d2b5553fa0d70c;\n" * 300, "the Beast port is 30005"),
        (b"\0" * 5_000, "5000|4096"),
    ],
)
def test_what_is_no_frame_is_refused_with_a_hint(tmp_path: Path, content: bytes, said: str) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(content)
    refused = [one for batch in batches(file=capture, start=START) for one in batch.refused]
    assert refused
    assert len(refused[0].original) <= 256
    assert any(word in refused[0].detail for word in said.split("|"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"file": True}, "--start is missing"),
        ({"file": True, "start": "yesterday"}, "--start is 'yesterday'"),
        ({"url": "tcp://127.0.0.1:30005", "start": START}, "--start goes with --file"),
        ({"url": "http://127.0.0.1:30005"}, "tcp://127.0.0.1:30005"),
        ({"url": "tcp://127.0.0.1:30005", "reference": "59.8"}, "--reference is '59.8'"),
        ({"url": "tcp://127.0.0.1:30005", "reference": "30,590"}, "--reference is '30,590'"),
        ({"url": "tcp://127.0.0.1:30005", "clock": "sun"}, "12mhz"),
        ({}, "--url or --file is missing"),
    ],
)
def test_a_wrong_setting_says_what_to_do(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    given = dict(options)
    if "file" in given:
        given["file"] = tmp_path / "capture"
        given["file"].write_bytes(b"")
    with pytest.raises(SettingsError, match="Example: ") as problem:
        open_source("beast", Settings.read(), **given)
    assert said in str(problem.value)


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> list[Position]:
    """The reports of the recorded capture."""
    read = batches(file=shared_data / "beast" / "ulss-20180403.beast", start=START)
    assert [one for batch in read for one in batch.refused] == []
    return [position for batch in read for position in batch.positions]


def test_the_recording_has_the_698_positions_of_rs1090(recorded: list[Position], shared_data: Path) -> None:
    with (shared_data / "beast" / "ulss-20180403.rs1090.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["latitude"]]
    assert len(rows) == 698
    ours = {(p.icao24, round(p.time / 4)): p for p in recorded}
    for row in rows:
        found = [ours.get((row["icao24"], round(float(row["timestamp"]) * 250) + off)) for off in (-1, 0, 1)]
        place = (float(row["latitude"]), float(row["longitude"]))
        assert any(
            p is not None and p.altitude_ft == float(row["altitude"]) and away_m((p.latitude, p.longitude), place) < 1
            for p in found
        ), row


def test_the_recording_has_the_positions_of_dump1090_and_no_other(recorded: list[Position], shared_data: Path) -> None:
    # rs1090 holds back 30 of them: above 1,200 km/h between two messages, which is their jitter.
    theirs = set(dump1090_positions(shared_data / "beast" / "ulss-20180403.sbs.txt"))
    assert len(recorded) == len(theirs) == 728
    unmatched = [
        p
        for p in recorded
        if not any(
            (icao24, altitude_ft) == (p.icao24, p.altitude_ft)
            and abs(time_ms - p.time) <= 2
            and away_m((p.latitude, p.longitude), place) < 1.5  # it writes five decimals
            for icao24, time_ms, altitude_ft, place in theirs
        )
    ]
    assert unmatched == []


def dump1090_positions(path: Path) -> Iterator[tuple[str, int, int, cpr.Place]]:
    """The position lines of dump1090, which writes each block of the capture again."""
    with path.open(newline="") as stream:
        for cells in csv.reader(stream):
            if len(cells) > 15 and cells[1] == "3" and cells[14]:
                time = datetime.strptime(f"{cells[6]} {cells[7]}+0000", "%Y/%m/%d %H:%M:%S.%f%z")
                place = (float(cells[14]), float(cells[15]))
                yield cells[4].lower(), round(time.timestamp() * 1000), int(cells[11]), place


def test_the_recording_fills_the_other_fields(recorded: list[Position]) -> None:
    assert len({p.icao24 for p in recorded}) == 11
    for name in ("ground_speed_kt", "track_deg", "vertical_rate_fpm", "on_ground", "kind"):
        assert sum(getattr(p, name) is not None for p in recorded) > 0.95 * len(recorded), name
    assert {p.callsign for p in recorded} >= {"AAR542", "UTA470"}
    assert "1017" in {p.squawk for p in recorded}


def away_m(one: cpr.Place, other: cpr.Place) -> float:
    """The distance of two places in meters."""
    return cpr.distance_nm(one, other) * 1852
