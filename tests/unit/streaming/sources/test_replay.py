"""Replay: pace, shifted times, order, loops, stopping."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flight_platform.model import Position
from streaming.sources import clock
from streaming.sources.base import Batch
from streaming.sources.replay import Rebase, Replay, restamp

FIRST_MS = 1_700_000_000_000
Row = tuple[str, float]


def recording(folder: Path, rows: list[Row], **more: Any) -> Path:
    """A recording of reports of these aircraft, so many seconds after the first moment."""
    file = folder / "recording.jsonl"
    records = [
        {"icao24": hex_, "time": FIRST_MS + round(after_s * 1000), "latitude": 1, "longitude": 2, **more}
        for hex_, after_s in rows
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def play(source: Replay, stop: threading.Event | None = None) -> list[Position]:
    """All reports of a source."""
    return [p for batch in source.batches(stop or threading.Event()) for p in batch.positions]


def test_without_options_everything_is_as_it_was(tmp_path: Path) -> None:
    rows = [("aaaaaa", 10.0), ("bbbbbb", 0.0), ("aaaaaa", 5.0)]
    file = recording(tmp_path, rows, received_at=FIRST_MS + 99, flight_id="3c6444-67a1b2c3")
    started = time.monotonic()
    batches = list(Replay("r", file).batches(threading.Event()))
    assert time.monotonic() - started < 8, "it was played, and not read"
    (batch,) = batches
    assert [(p.icao24, (p.time - FIRST_MS) / 1000) for p in batch.positions] == rows
    assert {p.received_at for p in batch.positions} == {FIRST_MS + 99}
    assert {p.flight_id for p in batch.positions} == {None}
    assert batch.clock_ms == FIRST_MS + 10_000


def test_a_report_without_received_at_is_received_now(tmp_path: Path) -> None:
    before = clock.now_ms()
    (position,) = play(Replay("r", recording(tmp_path, [("aaaaaa", 0)])))
    assert before <= position.received_at <= clock.now_ms()


def test_the_recorded_source_is_kept_unless_the_feed_has_a_name(tmp_path: Path) -> None:
    file = recording(tmp_path, [("aaaaaa", 0)], source="home")
    assert play(Replay("r", file))[0].source == "home"
    assert play(Replay("r", file, keep_source=False))[0].source == "r"
    assert play(Replay("r", recording(tmp_path, [("aaaaaa", 0)], source="No Name!")))[0].source == "r"


def test_speed_keeps_the_distances_in_time(tmp_path: Path) -> None:
    file = recording(tmp_path, [("aaaaaa", 0.0), ("aaaaaa", 2.0), ("aaaaaa", 4.0)])
    started, arrivals, times = time.monotonic(), [], []
    for batch in Replay("r", file, speed=10).batches(threading.Event()):
        arrivals += [time.monotonic() - started] * len(batch.positions)
        times += [p.time - FIRST_MS for p in batch.positions]
    assert times == [0, 2_000, 4_000]
    assert arrivals[1] - arrivals[0] >= 0.14
    assert arrivals[2] - arrivals[0] >= 0.34


@pytest.mark.parametrize(("rebase", "which"), [("now", 0), ("end-now", 2)])
def test_rebase_moves_all_times_by_the_same(rebase: Rebase, which: int, tmp_path: Path) -> None:
    file = recording(tmp_path, [("aaaaaa", 0.0), ("bbbbbb", 0.1), ("aaaaaa", 0.3)])
    before = clock.now_ms()
    found = play(Replay("r", file, rebase=rebase))
    assert [p.time - found[0].time for p in found] == [0, 100, 300]
    assert before <= found[which].time <= clock.now_ms()
    assert all(p.received_at >= before for p in found)


def test_shift_moves_by_seconds(tmp_path: Path) -> None:
    (position,) = play(Replay("r", recording(tmp_path, [("aaaaaa", 0)]), shift_s=-1.5))
    assert position.time == FIRST_MS - 1_500


def test_a_file_grouped_by_aircraft_is_played_by_time_and_late_reports_stay_late(tmp_path: Path) -> None:
    rows = [("aaaaaa", 0.0), ("aaaaaa", 2.0), ("aaaaaa", 1.0), ("aaaaaa", 4.0), ("bbbbbb", 1.0), ("bbbbbb", 3.0)]
    found = play(Replay("r", recording(tmp_path, rows), rebase="end-now"))
    assert [(p.icao24[0], p.time - found[0].time) for p in found] == [
        ("a", 0), ("b", 1_000), ("a", 2_000), ("a", 1_000), ("b", 3_000), ("a", 4_000),
    ]  # fmt: skip


def test_a_loop_starts_again_rebased_anew(tmp_path: Path) -> None:
    file = recording(tmp_path, [("aaaaaa", 0.0), ("aaaaaa", 0.2)])
    stop, found = threading.Event(), list[Position]()
    for batch in Replay("r", file, rebase="now", speed=1, loop=True).batches(stop):
        found += batch.positions
        if len(found) >= 6:
            stop.set()
    times = [p.time for p in found]
    assert times == sorted(times)
    assert times[4] - times[0] >= 400


def test_a_loop_of_nothing_ends(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.touch()
    assert play(Replay("r", file, loop=True)) == []


@pytest.mark.parametrize("speed", [1.0, 0.001])
def test_stop_is_not_honoured_when_the_next_report_is_due_but_now(speed: float, tmp_path: Path) -> None:
    stop = threading.Event()
    source = Replay("r", recording(tmp_path, [("aaaaaa", 0.0), ("aaaaaa", 3_600.0)]), speed=speed)
    told: list[float] = []

    def tell() -> None:
        told.append(time.monotonic())
        stop.set()

    threading.Timer(0.2, tell).start()
    assert len(play(source, stop)) == 1
    assert time.monotonic() - told[0] < 60, "an hour too late"


def test_in_a_gap_the_clock_of_the_recording_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.sources.replay._QUIET_MS", 100)
    source = Replay("r", recording(tmp_path, [("aaaaaa", 0.0), ("aaaaaa", 100.0)]), speed=100)
    batches = list(source.batches(threading.Event()))
    quiet = [batch.clock_ms for batch in batches if not batch.positions and batch.clock_ms is not None]
    assert quiet
    assert all(FIRST_MS < told <= FIRST_MS + 110_000 for told in quiet)


def test_what_does_not_decode_is_passed_on_as_refused_at_any_pace(tmp_path: Path) -> None:
    file = recording(tmp_path, [("aaaaaa", 0.0)])
    file.write_text("not json\n" + file.read_text() + '{"icao24": "bbbbbb"}\n')
    rebases: list[Rebase | None] = [None, "end-now"]
    for rebase in rebases:
        batches: list[Batch] = list(Replay("r", file, rebase=rebase).batches(threading.Event()))
        refused = [one for batch in batches for one in batch.refused]
        assert [one.original for one in refused] == [b"not json", b'{"icao24": "bbbbbb"}']
        assert sum(len(batch.positions) for batch in batches) == 1


def test_a_moved_report_keeps_every_other_field() -> None:
    position = Position(
        icao24="3c6444", time=5, received_at=6, latitude=1.5, longitude=2.5, altitude_ft=1, geometric_altitude_ft=2,
        on_ground=False, ground_speed_kt=3.0, track_deg=4.0, vertical_rate_fpm=5, callsign="A", squawk="1000",
        source="s",
    )  # fmt: skip
    assert restamp(position, 0, 6) == position
    moved = restamp(position, 10, 7)
    assert (moved.time, moved.received_at) == (15, 7)
