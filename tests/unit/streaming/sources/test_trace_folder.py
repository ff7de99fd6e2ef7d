"""Folders of traces: order, memory in stretches, files that are none."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.errors import SettingsError
from flight_platform.model import Kind, Position
from streaming.sources.base import Refused
from streaming.sources.recordings import open_recording
from streaming.sources.trace_folder import TraceFolder, stretches

BASE_S = 1_693_353_600.0


def row(dt: float, altitude: Any = 30_000, flags: int = 0, details: Any = None) -> list[Any]:
    """A row of a trace."""
    return [dt, 43.0 + dt / 1e5, -116.0, altitude, 400.0, 90.0, flags, -64, details, "adsb_icao", None, None]


def trace(folder: Path, icao24: str, rows: list[list[Any]], *, packed: bool = True, suffix: str = ".json") -> None:
    """A trace file as tar1090 writes it."""
    below = folder / "2023" / "08" / "30" / "traces" / icao24[-2:]
    below.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"icao": icao24, "r": "N1", "t": "B738", "timestamp": BASE_S, "trace": rows}).encode()
    (below / f"trace_full_{icao24}{suffix}").write_bytes(gzip.compress(content) if packed else content)
    (below / f"trace_recent_{icao24}.json").write_bytes(content)


def read(source: TraceFolder) -> tuple[list[Position], list[Refused]]:
    """What a folder holds."""
    batches = list(source.batches())
    return [p for batch in batches for p in batch.positions], [r for batch in batches for r in batch.refused]


def test_the_traces_of_a_folder_come_by_time(tmp_path: Path) -> None:
    trace(tmp_path, "a11e8b", [row(10.0), row(3600.25), row(80_000.0)])
    trace(tmp_path, "4d208a", [row(5.0), row(3600.0)], packed=False)
    trace(tmp_path, "~2a0001", [row(7.5)], suffix=".json.gz")
    recording = open_recording(tmp_path, name="day")
    assert recording.in_order
    assert "3 tar1090 traces" in recording.format
    positions = [p for batch in recording.batches() for p in batch.positions]
    assert [(p.icao24, (p.time - BASE_S * 1000) / 1000) for p in positions] == [
        ("4d208a", 5.0),
        ("~2a0001", 7.5),
        ("a11e8b", 10.0),
        ("4d208a", 3600.0),
        ("a11e8b", 3600.25),
        ("a11e8b", 80_000.0),
    ]


@pytest.mark.parametrize("rows_at_once", [1, 7, 10_000])
def test_stretches_of_time_give_the_same_reports_in_the_same_order(tmp_path: Path, rows_at_once: int) -> None:
    for i in range(5):
        trace(tmp_path, f"a0000{i}", [row(i + 40.0 * step) for step in range(20)])
    positions, refused = read(TraceFolder(tmp_path, "s", rows_at_once))
    assert refused == []
    assert len(positions) == len({(p.icao24, p.time) for p in positions}) == 100
    assert [p.time for p in positions] == sorted(p.time for p in positions)


def test_what_a_row_says(tmp_path: Path) -> None:
    details = {"flight": "SWA4543 ", "squawk": "6621", "emergency": "none", "category": "A3", "type": "mlat"}
    rows = [
        row(0.0, flags=1, details=details),  # stale: no position for 20 s before this one, which is as true as others
        row(1.0, flags=4 | 8),
        row(2.0, "ground", flags=2),
    ]
    trace(tmp_path, "a57b8b", rows)
    (first, second, third), _ = read(TraceFolder(tmp_path, "s"))
    assert (first.altitude_ft, first.callsign, first.squawk, first.kind) == (30_000, "SWA4543", "6621", Kind.ADSB)
    assert (second.altitude_ft, second.geometric_altitude_ft, second.callsign) == (None, 30_000, "SWA4543")
    assert (third.altitude_ft, third.on_ground, first.on_ground) == (None, True, False)


def test_a_broken_file_is_a_refusal_with_its_name_and_the_rest_goes_on(tmp_path: Path) -> None:
    trace(tmp_path, "a11e8b", [row(10.0), [1, 2]])
    (tmp_path / "trace_full_broken.json").write_bytes(gzip.compress(b"{}" * 100)[:-9])
    (tmp_path / "trace_full_page.json").write_text("<html>")
    positions, refused = read(TraceFolder(tmp_path, "s"))
    assert len(positions) == 1
    assert sorted(any(name in r.detail for name in ("broken", "page")) for r in refused) == [False, True, True]
    assert b"<html>" in {r.original for r in refused}


def test_a_folder_without_traces_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="trace_full_"):
        open_recording(tmp_path, name="s")


@given(st.dictionaries(st.integers(0, 200), st.integers(1, 50)), st.integers(1, 100))
def test_stretches_cover_each_minute_once(rows_a_minute: dict[int, int], most: int) -> None:
    cut = list(stretches(Counter(rows_a_minute), most))
    for minute in rows_a_minute:
        assert sum(first <= minute < end for first, end in cut) == 1
    for first, end in cut:
        inside = [rows for minute, rows in rows_a_minute.items() if first <= minute < end]
        assert sum(inside) <= most or len(inside) == 1
