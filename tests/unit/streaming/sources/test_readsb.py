"""What is new since the last poll, and aircraft.json from files."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from flight_platform.model import Position
from flight_platform.settings import Settings
from streaming.sources import open_source
from streaming.sources.base import Batch
from streaming.sources.readsb import NewOnly, hint

NOW_MS = 1_700_000_000_000


def position(time_ms: int, latitude: float = 1.0, icao24: str = "3c6444") -> Position:
    """A report."""
    return Position(icao24=icao24, time=time_ms, received_at=0, latitude=latitude, longitude=2.0)


def new(seen: NewOnly, *positions: Position, clock_ms: int = NOW_MS) -> list[Position]:
    """What is new of a poll."""
    batch = seen.of(Batch(positions=list(positions), originals=list(positions), clock_ms=clock_ms))
    assert batch.originals == batch.positions
    assert batch.clock_ms == clock_ms
    return batch.positions


def test_a_position_is_passed_on_once() -> None:
    seen = NewOnly()
    first, second = position(NOW_MS), position(NOW_MS + 1_000, 1.1)
    assert new(seen, first) == [first]
    assert new(seen, first) == []
    assert new(seen, second, position(NOW_MS, icao24="abcdef")) == [second, position(NOW_MS, icao24="abcdef")]


def test_rounded_clocks_make_no_new_position() -> None:
    seen = NewOnly()
    new(seen, position(NOW_MS))
    assert new(seen, position(NOW_MS + 100), position(NOW_MS - 100)) == []
    assert new(seen, position(NOW_MS + 100, 1.001)) == [position(NOW_MS + 100, 1.001)]


def test_an_aircraft_that_stands_still_is_still_reported() -> None:
    seen = NewOnly()
    new(seen, position(NOW_MS))
    assert new(seen, position(NOW_MS + 1_000)) == [position(NOW_MS + 1_000)]


def test_silent_aircraft_are_forgotten() -> None:
    seen = NewOnly()
    for poll in range(700):
        new(seen, position(NOW_MS + poll * 1_000, icao24=f"{poll:06x}"), clock_ms=NOW_MS + poll * 1_000)
    assert 600 <= len(seen) <= 661


def aircraft_json(**entry: Any) -> bytes:
    """An aircraft.json with one aircraft."""
    aircraft = {"hex": "3c6444", "lat": 1.0, "lon": 2.0, "seen_pos": 0} | entry
    return json.dumps({"now": NOW_MS / 1000, "aircraft": [aircraft]}).encode()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_once(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "aircraft.json"
    file.write_bytes(gzip.compress(aircraft_json()) if packed else aircraft_json())
    source = open_source("readsb", Settings.read(), file=file, name="home")
    assert source.repeatable
    (batch,) = source.batches(threading.Event())
    assert [(p.icao24, p.source) for p in batch.positions] == [("3c6444", "home")]


@pytest.mark.parametrize(
    "content", [aircraft_json()[:40], b"", b"<html>", gzip.compress(aircraft_json(), mtime=0)[:-9], b"[]"]
)
def test_a_file_that_stays_broken_is_refused_as_a_whole(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.sources.readsb._FIRST_PAUSE_S", 0.01)
    file = tmp_path / "aircraft.json"
    file.write_bytes(content)
    (batch,) = open_source("readsb", Settings.read(), file=file).batches(threading.Event())
    assert [refused.original for refused in batch.refused] == [content]


def test_a_file_that_a_receiver_rewrites_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "aircraft.json"
    file.write_bytes(aircraft_json()[:50])  # half written
    source = open_source("readsb", Settings.read(), file=file, interval=0.05, name="followed")
    assert not source.repeatable
    stop, found = threading.Event(), list[float]()
    timer = threading.Timer(10, stop.set)
    timer.start()
    threading.Timer(0.1, file.write_bytes, [aircraft_json()]).start()
    for batch in source.batches(stop):
        for one in batch.positions:
            found.append(one.latitude)
            file.write_bytes(aircraft_json(lat=1.0 + len(found), seen_pos=-len(found)))
        if len(found) == 3:
            stop.set()
    timer.cancel()
    assert found == [1.0, 2.0, 3.0]
    half = REGISTRY.get_sample_value("flight_ingest_polls_total", {"source": "followed", "code": "undecodable"})
    assert half is not None
    assert half >= 1


def test_what_an_answer_rather_is() -> None:
    assert "HTML" in hint(b" <!DOCTYPE html>")
    assert "empty" in hint(b"")
    assert hint(b'{"now": 1') == ""
