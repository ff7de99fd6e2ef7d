"""What a file is, is found out from its content: each format, packed or not, and what is none."""

import csv
import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flight_platform.errors import SettingsError
from flight_platform.model import Position
from streaming.sources.recordings import open_recording
from streaming.sources.replay import Replay

TIME_S = 1_700_000_000
OWN: dict[str, Any] = {
    "icao24": "3e1234", "time": "2023-11-14T22:13:20.000Z", "latitude": 50.5, "longitude": 8.5, "altitude_ft": 0,
    "geometric_altitude_ft": None, "on_ground": True, "ground_speed_kt": 0.0, "track_deg": None,
    "vertical_rate_fpm": 0, "callsign": "DLH4TR", "squawk": "0021", "emergency": "none", "kind": "adsb", "source": "s",
}  # fmt: skip
TRAFFIC: dict[str, Any] = {
    "timestamp": TIME_S * 1000, "icao24": "3e1234", "latitude": 50.5, "longitude": 8.5, "altitude": 1000.0,
    "groundspeed": 100.04, "track": 359.99, "vertical_rate": -64.0, "callsign": "DLH4TR", "onground": False,
    "squawk": "0021",
}  # fmt: skip
AIRCRAFT = {"hex": "3e1234", "lat": 50.5, "lon": 8.5, "seen_pos": 0, "alt_baro": 1000}
STATE = ["3e1234", "DLH4TR", "Germany", TIME_S, TIME_S, 8.5, 50.5, 304.8, False, 0, 0, 0, None, None, None, False, 0]
SBS = "MSG,3,1,1,3E1234,1,2023/11/14,22:13:20.000,2023/11/14,22:13:20.000,,1000,,,50.5,8.5,,,,,,0\r\n"


def reports(file: Path) -> list[Position]:
    """The reports of a file; none may be refused."""
    batches = list(Replay("r", file).batches(threading.Event()))
    assert [one for batch in batches for one in batch.refused] == []
    return [p for batch in batches for p in batch.positions]


TRACE = {"icao": "3e1234", "timestamp": TIME_S, "trace": [[0, 50.5, 8.5, 1000, 0, 0, 0, 0, None]]}


def table(row: dict[str, Any]) -> str:
    """A CSV file of one row."""
    cells = ["" if value is None else str(value) for value in row.values()]
    return ",".join(row) + "\n" + ",".join(cells) + "\n"


CONTENTS: list[tuple[str, str]] = [
    ("our reports, NDJSON", json.dumps(OWN) + "\n" + json.dumps(OWN)),
    ("our reports, NDJSON", json.dumps(OWN)),
    ("our reports, JSON", json.dumps([OWN, OWN], indent=1)),
    ("our reports, an answer of the API", json.dumps({"positions": [OWN]})),
    ("our reports, CSV", table(OWN)),
    ("a collection of the traffic library, JSON", json.dumps([TRAFFIC, TRAFFIC], separators=(",", ":"))),
    ("a collection of the traffic library, JSON", json.dumps([TRAFFIC, TRAFFIC], indent=2)),
    ("a collection of the traffic library, JSON", json.dumps({k: {"0": v} for k, v in TRAFFIC.items()})),
    ("a collection of the traffic library, JSON lines", json.dumps(TRAFFIC) + "\n" + json.dumps(TRAFFIC) + "\n"),
    ("a collection of the traffic library, CSV", table(TRAFFIC)),
    ("an aircraft.json", json.dumps({"now": TIME_S, "aircraft": [AIRCRAFT]})),
    ("an aircraft.json", json.dumps({"now": TIME_S, "aircraft": [AIRCRAFT]}, indent=2)),
    ("lines of aircraft.json", (json.dumps({"now": TIME_S, "aircraft": [AIRCRAFT]}) + "\n") * 2),
    ("lines of readsb, one aircraft each", (json.dumps({"now": TIME_S, **AIRCRAFT}) + "\n") * 2),
    ("a tar1090 trace", json.dumps(TRACE)),
    ("an OpenSky answer", json.dumps({"time": TIME_S, "states": [STATE]})),
    ("lines of OpenSky answers", (json.dumps({"time": TIME_S, "states": [STATE]}) + "\n") * 2),
    ("an SBS capture", "\r\n" + SBS + SBS),
]  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("format_", "content"), CONTENTS, ids=[f"{i}-{c[0]}" for i, c in enumerate(CONTENTS)])
def test_each_format_is_recognised_and_read(format_: str, content: str, packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "recording"  # the name says nothing
    file.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert open_recording(file, name="r").format == format_
    found = reports(file)
    assert found
    for position in found:
        assert (position.icao24, position.time) == ("3e1234", TIME_S * 1000)
        assert (position.latitude, position.longitude) == (50.5, 8.5)


@pytest.mark.parametrize("own", [True, False])
def test_parquet(own: bool, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    table = pa.Table.from_pylist([OWN if own else TRAFFIC])
    moments = pa.array([TIME_S * 10**9], pa.timestamp("ns", "UTC"))
    name = "time" if own else "timestamp"
    pq.write_table(table.set_column(table.column_names.index(name), name, moments), file)
    (position,) = reports(file)
    assert (position.icao24, position.time, position.squawk) == ("3e1234", TIME_S * 1000, "0021")


def test_our_own_report_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_text(json.dumps(OWN))
    (position,) = reports(file)
    assert (position.altitude_ft, position.ground_speed_kt, position.vertical_rate_fpm) == (0, 0.0, 0)
    assert (position.geometric_altitude_ft, position.track_deg) == (None, None)
    assert (position.callsign, position.on_ground, position.source) == ("DLH4TR", True, "s")


def test_a_collection_is_read_by_time_in_our_units(tmp_path: Path) -> None:
    rows = [
        TRAFFIC | {"timestamp": (TIME_S + 2) * 1000},
        TRAFFIC | {"timestamp": TIME_S * 1000, "icao24": "aaaaaa", "altitude": None, "onground": None, "squawk": None},
        TRAFFIC | {"timestamp": (TIME_S + 1) * 1000, "latitude": None},
        TRAFFIC | {"timestamp": (TIME_S + 9) * 1000, "last_position": (TIME_S + 1) * 1000},
    ]
    file = tmp_path / "collection.json"
    file.write_text(json.dumps(rows, separators=(",", ":")))
    found = reports(file)
    assert [(p.icao24, p.time // 1000 - TIME_S) for p in found] == [("aaaaaa", 0), ("3e1234", 1), ("3e1234", 2)]
    assert (found[0].altitude_ft, found[0].on_ground, found[0].squawk) == (None, None, None)
    assert (found[1].altitude_ft, found[1].ground_speed_kt, found[1].track_deg) == (1000, 100.0, 0.0)
    assert (found[1].vertical_rate_fpm, found[1].squawk, found[1].on_ground) == (-64, "0021", False)


def test_broken_cells_of_a_collection_are_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [TRAFFIC, TRAFFIC | {"latitude": "abc"}, TRAFFIC | {"timestamp": 1e300}, TRAFFIC | {"squawk": 7000.0}]
    file = tmp_path / "collection.json"
    file.write_text(json.dumps(rows))
    batches = list(Replay("r", file).batches(threading.Event()))
    assert sum(len(batch.refused) for batch in batches) == 2
    assert sum(len(batch.positions) for batch in batches) == 2


def test_broken_lines_and_rows_are_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text(
        "{half\n" + json.dumps({"now": TIME_S, **AIRCRAFT}) + "\n[1\n" + json.dumps({"now": "x", **AIRCRAFT})
    )
    table = tmp_path / "table"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, OWN)
        writer.writeheader()
        writer.writerows([OWN, OWN | {"latitude": "abc"}, OWN | {"time": "yesterday"}, OWN | {"time": 1e18}])
        stream.write("3e1234,too,short\n")
        stream.write("x," * 30 + "long\n")
    for file, refused in ((lines, 3), (table, 5)):
        batches = list(Replay("r", file).batches(threading.Event()))
        assert sum(len(batch.positions) for batch in batches) == 1
        assert sum(len(batch.refused) for batch in batches) == refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello world\n", "not recognised"),
        (b"<html></html>", "not recognised"),
        (b'{"a": 1}', "not recognised"),
        (b"[1, 2]", "not recognised"),
        (b"[1, 2", "not JSON"),
        (b"\x1a2 beast", "beast"),
        (b"\x1f\x8bnot gzip", "cannot be read"),
        (gzip.compress(b"MSG,3," * 9999, mtime=0)[:-20], "cannot be read"),
        (b"PAR1 and no more", "cannot be read"),
        (b"snapshot_id,altitude,heading,latitude,longitude\n1,2,3,4,5\n", "without icao24, time"),
    ],
)
def test_what_is_no_recording_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "something"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        open_recording(file, name="r")


def test_an_empty_file_has_no_reports(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(gzip.compress(b"\n"))
    assert reports(file) == []
