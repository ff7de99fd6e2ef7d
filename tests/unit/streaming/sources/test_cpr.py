"""CPR: known pairs, and places coded and decoded again."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streaming.sources import cpr
from streaming.sources.cpr import Coded
from tests.mode_s import coded

latitudes = st.floats(-86.9, 86.9)
longitudes = st.floats(-180, 180, exclude_max=True)


def test_the_pair_of_the_textbook() -> None:
    even, odd = Coded(False, 93_000, 51_372), Coded(True, 74_158, 50_194)
    assert cpr.from_pair(odd, even) == pytest.approx((52.25720, 3.91937), abs=1e-5)
    assert cpr.from_pair(even, odd) == pytest.approx((52.26578, 3.93891), abs=1e-5)


@pytest.mark.parametrize(
    ("latitude", "zones"), [(0, 59), (10.47, 59), (10.48, 58), (-52.3, 36), (59.9, 30), (86.9, 2), (87.1, 1), (90, 1)]
)
def test_zones_of_longitude_grow_fewer_towards_the_poles(latitude: float, zones: int) -> None:
    assert cpr.longitude_zones(latitude) == zones


@given(latitudes, longitudes, st.booleans())
def test_a_pair_tells_the_place_anywhere(latitude: float, longitude: float, newer_is_odd: bool) -> None:
    older, newer = coded(latitude, longitude, odd=not newer_is_odd), coded(latitude, longitude, odd=newer_is_odd)
    found = cpr.from_pair(older, newer)
    assume(found is not None)  # on a border between zones the two are no pair
    assert found is not None
    assert cpr.distance_nm(found, (latitude, longitude)) < 0.01
    assert -180 <= found[1] < 180


@given(latitudes, longitudes, st.booleans(), st.booleans(), st.floats(0, 2 * math.pi))
def test_a_place_nearby_tells_the_place(
    latitude: float, longitude: float, odd: bool, surface: bool, direction: float
) -> None:
    away_deg = 0.5 if surface else 2.0  # 30 and 120 NM
    assume(abs(latitude) + away_deg < 86.9)
    reference = (
        latitude + away_deg * math.cos(direction),
        longitude + away_deg * math.sin(direction) / math.cos(math.radians(abs(latitude) + away_deg)) / 2,
    )
    one = coded(latitude, longitude, odd=odd, turn=90.0 if surface else 360.0)
    found = cpr.near(one, reference, surface=surface)
    assert found is not None
    assert cpr.distance_nm(found, (latitude, longitude)) < 0.01


def test_two_of_one_grating_are_no_pair() -> None:
    assert cpr.from_pair(Coded(True, 1, 1), Coded(True, 2, 2)) is None


@given(st.builds(Coded, st.booleans(), st.integers(0, 131_071), st.integers(0, 131_071)), st.data())
def test_whatever_is_coded_gives_a_place_on_earth_or_none(one: Coded, data: st.DataObject) -> None:
    other = Coded(not one.odd, data.draw(st.integers(0, 131_071)), data.draw(st.integers(0, 131_071)))
    near = cpr.near(one, (data.draw(st.floats(-90, 90)), data.draw(st.floats(-180, 180))))
    for found in (cpr.from_pair(one, other), near):
        assert found is None or (abs(found[0]) <= 90 and -180 <= found[1] < 180)


def test_distances_are_those_of_the_globe() -> None:
    assert cpr.distance_nm((0, 179.5), (0, -179.5)) == pytest.approx(60, rel=1e-6)
    assert cpr.distance_nm((10, 20), (10, 20)) == 0
