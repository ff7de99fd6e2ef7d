"""The decoder of OpenSky's states."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.errors import UndecodableError
from flight_platform.model import Kind, Position
from streaming.sources.base import Batch
from streaming.sources.opensky_format import decode_answer

STATE: list[Any] = [
    "3c6444", "DLH4TR  ", "Germany", 1_634_471_380, 1_634_471_389, 8.5, 50.25, 10_668.0, False, 200.0, 90.06, -5.08,
    None, 10_972.8, "1000", False, 0,
]  # fmt: skip


def state(**changes: Any) -> list[Any]:
    """A state with elements changed by `i<index>`."""
    changed = list(STATE)
    for name, value in changes.items():
        changed[int(name[1:])] = value
    return changed


def decode(states: object, time: object = 1_634_471_390) -> Batch:
    """The batch of an answer."""
    return decode_answer({"time": time, "states": states}, source="opensky", received_at=5)


def test_a_full_state_becomes_a_report_in_aviation_units() -> None:
    batch = decode([STATE])
    assert batch.positions == [
        Position(
            icao24="3c6444",
            time=1_634_471_380_000,
            received_at=5,
            latitude=50.25,
            longitude=8.5,
            altitude_ft=35_000,
            geometric_altitude_ft=36_000,
            on_ground=False,
            ground_speed_kt=388.8,  # 200 m/s * 3600 / 1852
            track_deg=90.1,
            vertical_rate_fpm=-1_000,  # -5.08 m/s / 0.3048 * 60
            callsign="DLH4TR",
            squawk="1000",
            kind=Kind.ADSB,
            source="opensky",
        )
    ]
    assert batch.originals == [STATE]
    assert batch.clock_ms == 1_634_471_390_000


def test_real_zeros_are_kept_and_nulls_are_unknown() -> None:
    zeros = decode([state(i7=0.0, i9=0.0, i10=0.0, i11=0.0)]).positions[0]
    assert (zeros.altitude_ft, zeros.ground_speed_kt, zeros.track_deg, zeros.vertical_rate_fpm) == (0, 0.0, 0.0, 0)
    nulls = decode([state(i1=None, i7=None, i9=None, i10=None, i11=None, i13=None, i14=None)]).positions[0]
    assert (nulls.altitude_ft, nulls.ground_speed_kt, nulls.track_deg, nulls.vertical_rate_fpm) == (None,) * 4
    assert (nulls.callsign, nulls.squawk, nulls.geometric_altitude_ft) == (None, None, None)


@pytest.mark.parametrize("index", [3, 5, 6])
def test_a_state_without_time_or_place_is_left_out(index: int) -> None:
    batch = decode([state(**{f"i{index}": None})])
    assert (batch.positions, batch.refused) == ([], [])


@pytest.mark.parametrize(
    ("origin", "kind"), [(0, Kind.ADSB), (1, Kind.ASTERIX), (2, Kind.MLAT), (3, Kind.FLARM), (9, None), (None, None)]
)
def test_position_sources(origin: int | None, kind: Kind | None) -> None:
    assert decode([state(i16=origin)]).positions[0].kind is kind


def test_more_elements_are_welcome_and_fewer_are_refused() -> None:
    batch = decode([[*STATE, 4, "new"], STATE[:16], "text", state(i6="abc")])
    assert len(batch.positions) == 1
    assert ["17 elements" in refused.detail for refused in batch.refused] == [True, True, False]
    assert "latitude is 'abc'" in batch.refused[2].detail


@pytest.mark.parametrize("states", [None, []])
def test_an_empty_sky_tells_the_time(states: object) -> None:
    batch = decode(states)
    assert (batch.positions, batch.clock_ms) == ([], 1_634_471_390_000)


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"time": 1}, {"states": []}, {"time": None, "states": []}, {"time": 1, "states": 3}]
)
def test_what_is_no_answer_raises(answer: object) -> None:
    with pytest.raises(UndecodableError):
        decode_answer(answer, source="s", received_at=5)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.lists(scalars, max_size=19) | scalars, max_size=3), st.integers(0, 16), scalars)
def test_no_json_breaks_the_decoder(states: list[Any], index: int, value: Any) -> None:
    broken = list(STATE)
    broken[index] = value
    batch = decode([*states, broken])
    assert len(batch.positions) + len(batch.refused) <= len(states) + 1
