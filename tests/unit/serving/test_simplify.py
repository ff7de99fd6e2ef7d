"""A simplified track keeps its promise at every point that it leaves out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.simplify import simplified

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def row(second: float, latitude: float, longitude: float, altitude_ft: int | None = 30_000) -> dict[str, Any]:
    time = START + timedelta(seconds=second)
    return {"time": time, "latitude": latitude, "longitude": longitude, "altitude_ft": altitude_ft}


def test_a_straight_and_steady_flight_needs_its_ends_alone() -> None:
    rows = [row(n, 0.0, n * 0.002) for n in range(600)]
    assert simplified(rows, 50, 100) == [rows[0], rows[-1]]


def test_a_turn_a_climb_and_a_stop_are_kept() -> None:
    turn = [row(n, 0.0, n * 0.002) for n in range(100)] + [row(100 + n, n * 0.002, 0.2) for n in range(100)]
    assert 3 <= len(simplified(turn, 50, 100)) < 8
    climb = [row(n, 0.0, n * 0.002, 30_000 + max(0, n - 50) * 40) for n in range(100)]
    assert climb[50] in simplified(climb, 50, 100)
    stop = [row(n, 0.0, min(n, 50) * 0.002) for n in range(100)]
    kept = [stop.index(dict(left)) for left in simplified(stop, 50, 100)]
    assert any(45 <= index <= 55 for index in kept), "speeds stay true"


def test_the_antimeridian_is_no_edge() -> None:
    rows = [row(n, 10.0, (179.9 + n * 0.002 + 180) % 360 - 180) for n in range(100)]
    assert len(simplified(rows, 50, 100)) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_short_tracks_are_themselves(count: int) -> None:
    rows = [row(n, 0.0, float(n)) for n in range(count)]
    assert simplified(rows, 50, 100) == rows


@given(
    st.lists(st.tuples(st.floats(-0.01, 0.01), st.floats(-0.01, 0.01), st.integers(-200, 200)), min_size=3, max_size=60)
)
@settings(max_examples=60, deadline=None)
def test_what_is_left_out_is_within_the_bound(steps: list[tuple[float, float, int]]) -> None:
    latitude, longitude, altitude = 47.0, 8.0, 20_000
    rows = []
    for number, (north, east, up) in enumerate(steps):
        latitude, longitude, altitude = latitude + north, longitude + east, altitude + up
        rows.append(row(number * 5, latitude, longitude, altitude))
    kept = simplified(rows, 300, 150)
    times = [kept_row["time"].timestamp() for kept_row in kept]
    for left in rows:
        at = left["time"].timestamp()
        between = {
            name: np.interp(at, times, [k[name] for k in kept]) for name in ("latitude", "longitude", "altitude_ft")
        }
        north_m = (left["latitude"] - between["latitude"]) * 111_195
        east_m = (left["longitude"] - between["longitude"]) * 111_195 * np.cos(np.radians(left["latitude"]))
        assert np.hypot(north_m, east_m) <= 305, "a metre or so is the plane that this test reckons in"
        assert abs(left["altitude_ft"] - between["altitude_ft"]) <= 150.001
