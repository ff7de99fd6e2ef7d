"""OpenSky's historical state vectors: units, times, places that are told again, files of each container."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from flight_platform.model import Position
from streaming.sources.base import Refused
from streaming.sources.opensky import OpenSkyFile
from streaming.sources.recordings import open_recording

ROW: dict[str, Any] = {
    "time": 1_496_620_800,
    "icao24": "3e1234",
    "lat": 47.5,
    "lon": 8.25,
    "velocity": 231.5,
    "heading": 359.96,
    "vertrate": -3.2512,
    "callsign": "DLH4TR  ",
    "onground": False,
    "alert": False,
    "spi": False,
    "squawk": "0020",
    "baroaltitude": 10_668.0,
    "geoaltitude": 10_972.8,
    "lastposupdate": 1_496_620_798.25,
    "lastcontact": 1_496_620_799.9,
}
ROWS: list[dict[str, Any]] = [
    ROW,
    ROW | {"time": 1_496_620_801},  # the same place again
    ROW | {"time": 1_496_620_802, "lastposupdate": 1_496_620_801.5, "lat": 47.51, "velocity": None},
    ROW | {"icao24": "abcdef", "lat": None, "lon": None, "lastposupdate": None},
    ROW | {"icao24": "4b1800", "onground": True, "baroaltitude": None, "lastposupdate": 1_496_620_797.0},
]


def read(path: Path) -> tuple[list[Position], list[Refused]]:
    """What a file holds."""
    recording = open_recording(path, name="s")
    assert recording.format.startswith("OpenSky state vectors")
    batches = list(recording.batches())
    return [p for batch in batches for p in batch.positions], [r for batch in batches for r in batch.refused]


def written(folder: Path, suffix: str, rows: list[dict[str, Any]]) -> Path:
    """A file of rows."""
    path, table = folder / f"states{suffix}", pa.Table.from_pylist(rows)
    if suffix == ".parquet":
        pq.write_table(table, path)
        return path
    pa.csv.write_csv(table, path)
    if suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_row_becomes_a_report_in_our_units(tmp_path: Path, suffix: str) -> None:
    (parked, first, second), refused = read(written(tmp_path, suffix, ROWS))
    assert refused == []
    assert first == Position(
        icao24="3e1234",
        time=1_496_620_798_250,
        received_at=first.received_at,
        latitude=47.5,
        longitude=8.25,
        altitude_ft=35_000,
        geometric_altitude_ft=36_000,
        on_ground=False,
        ground_speed_kt=450.0,
        track_deg=0.0,
        vertical_rate_fpm=-640,
        callsign="DLH4TR",
        squawk="0020",
        source="s",
    )
    assert (second.time, second.ground_speed_kt) == (1_496_620_801_500, None)
    assert (parked.icao24, parked.on_ground, parked.altitude_ft) == ("4b1800", True, None)


def test_a_broken_number_is_a_refusal_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "states.csv"
    names = ",".join(ROW)
    lines = [",".join(str(ROW[name] if name != "velocity" else speed) for name in ROW) for speed in ("fast", "100")]
    second = lines[1].replace("1496620798.25", "1496620799.25")
    path.write_text("\n".join([names, lines[0], second]) + "\n")
    (position,), (refusal,) = read(path)
    assert position.ground_speed_kt == pytest.approx(194.4)
    assert b"fast" in refusal.original or b"3e1234" in refusal.original


def test_without_lastposupdate_the_row_s_own_time_counts(tmp_path: Path) -> None:
    row = {name: ROW[name] for name in ("time", "icao24", "lat", "lon")}
    ((position,), _) = read(written(tmp_path, ".csv", [row]))
    assert position.time == 1_496_620_800_000


def states(time_s: int) -> dict[str, Any]:
    """An answer with one state."""
    state = ["3c6444", "X", "Y", time_s, time_s, 8.0, 47.0, 100.0, False, 1.0, 2.0, 0.0, None, None, None, False, 0]
    return {"time": time_s, "states": [state]}


def test_opensky_reads_answers_lines_of_them_and_state_vectors(tmp_path: Path) -> None:
    lines = tmp_path / "answers.jsonl.gz"
    answers = [states(1_700_000_000), states(1_700_000_010)]
    lines.write_bytes(gzip.compress("".join(json.dumps(answer) + "\n" for answer in answers).encode()))
    single = tmp_path / "answer.json"
    single.write_text(json.dumps(answers[0]))
    table = written(tmp_path, ".parquet", ROWS)
    counts = []
    for path in (single, lines, table):
        batches = list(OpenSkyFile("o", path).batches(threading.Event()))
        assert [refused for batch in batches for refused in batch.refused] == []
        counts.append(sum(len(batch.positions) for batch in batches))
    assert counts == [1, 2, 3]


def test_opensky_refuses_what_is_none_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("icao24,time,latitude,longitude\n3c6444,1700000000,1,2\n")
    (batch,) = OpenSkyFile("o", path).batches(threading.Event())
    assert batch.positions == []
    assert len(batch.refused) == 1
