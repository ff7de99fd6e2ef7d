"""The workload: flights as they are flown, and our own tracker finds one in each."""

from itertools import pairwise
from pathlib import Path

import pytest

from bench import tracks
from bench.run import RECORDING
from flight_platform.model import address_of, out_of_range
from streaming.feed import report_of
from streaming.tracking import Aircraft, Outcome

START_MS = 1_769_860_800_000


def flights_of(fleet: tracks.Fleet) -> dict[str, set[int]]:
    """The flight ids that our tracker gives to each aircraft; fails where it does not pass a report."""
    found: dict[str, set[int]] = {}
    known: dict[str, Aircraft] = {}
    for position in fleet.ticks(0, tracks.TICKS, START_MS):
        assert out_of_range(position) is None
        aircraft = known.setdefault(position.icao24, Aircraft(address_of(position.icao24)))
        for verdict in aircraft.judge(report_of(position)):
            assert verdict.outcome is Outcome.PASSED, verdict
            found.setdefault(position.icao24, set()).add(verdict.flight_id)
    return found


def test_generated_tracks_climb_cruise_turn_and_descend() -> None:
    stretches = tracks.generated(8)
    rates = [row[7] or 0 for stretch in stretches for row in stretch]
    assert min(rates) < -1_000
    assert 0 in rates
    assert max(rates) > 1_000
    turns = [abs(((b[6] or 0) - (a[6] or 0) + 180) % 360 - 180) for s in stretches for a, b in pairwise(s)]
    assert max(turns) == pytest.approx(1.5, abs=0.11)


def test_generated_tracks_are_no_random_points() -> None:
    assert max(tracks.longest_step_m(stretch) for stretch in tracks.generated(50)) < 300  # 583 kt


def test_generated_tracks_are_the_same_each_time() -> None:
    assert tracks.generated(3) == tracks.generated(3)
    assert tracks.generated(3, seed=2) != tracks.generated(3, seed=1)


def test_our_tracker_gives_one_flight_to_each_generated_aircraft() -> None:
    flights = flights_of(tracks.Fleet(tracks.generated(20), 60))
    assert len(flights) == 60
    assert {len(ids) for ids in flights.values()} == {1}


def test_our_tracker_gives_one_flight_to_each_recorded_aircraft() -> None:
    if not RECORDING.is_file():
        pytest.skip(f"{RECORDING.name} is not there: `make demo` downloads it")
    stretches = tracks.recorded(RECORDING)
    assert len(stretches) > 100
    flights = flights_of(tracks.Fleet(stretches, len(stretches)))
    assert {len(ids) for ids in flights.values()} == {1}


def test_a_fleet_has_distinct_addresses_and_places() -> None:
    fleet = tracks.Fleet(tracks.generated(10), 100, first_address=0x3C0000)
    reports = list(fleet.ticks(0, 1, START_MS))
    assert len({report.icao24 for report in reports}) == 100
    assert reports[0].icao24 == "3c0000"
    assert len({(report.latitude, report.longitude) for report in reports}) == 100
    assert all(-180 <= report.longitude < 180 for report in reports)


def test_a_fleet_reports_evenly_once_a_second() -> None:
    reports = list(tracks.Fleet(tracks.generated(4), 4).ticks(2, 4, START_MS))
    assert [report.time - START_MS for report in reports] == [2000, 2250, 2500, 2750, 3000, 3250, 3500, 3750]


def test_stretches_survive_a_file(tmp_path: Path) -> None:
    stretches = tracks.generated(2)
    tracks.save(stretches, tmp_path / "tracks.json")
    assert tracks.load(tmp_path / "tracks.json") == stretches
