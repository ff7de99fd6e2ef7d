"""Take-off, landing, bands and gaps of hand-made flights."""

import math

import pytest

from flight_platform.flights.airports import Guess
from flight_platform.flights.phases import airborne, band_seconds, end_of, gaps, is_fast, landing, take_off
from flight_platform.flights.track import AIR, GROUND, UNTOLD, Track
from tests.unit.flight_platform.flights.made import HOP_LANDS_S, cut, hop, track

THERE = Guess(icao="AASS", confidence=1.0, distance_nm=3.0, height_ft=700.0)


def flags(*told: int, **columns: list[float | None]) -> Track:
    size = len(told)
    return track(
        time_s=[60.0 * n for n in range(size)],
        latitude=[50.0 + n / 60 for n in range(size)],
        longitude=[8.0] * size,
        told_ground=list(told),
        **columns,
    )


def test_flags_alone_tell_when_it_flew() -> None:
    flown = airborne(flags(GROUND, GROUND, AIR, AIR, AIR, GROUND))
    assert flown is not None
    assert (flown.first, flown.last) == (2, 4)


def test_a_touch_and_go_is_no_landing() -> None:
    tracked = flags(GROUND, AIR, AIR, GROUND, AIR, AIR, GROUND)
    flown = airborne(tracked)
    assert flown is not None
    assert (flown.first, flown.last) == (1, 5)
    landed = landing(tracked, flown, None)
    assert landed is not None
    assert landed.time_s == 330  # half way between the last report in the air and the first on the ground
    assert landed.confidence > 0.97


def test_a_go_around_lands_once_at_its_end() -> None:
    feet = [1_500.0, 1_500, 4_000, 3_000, 1_700, 3_500, 4_000, 2_500, 1_600, 1_500]
    knots = [10.0, 120, 200, 160, 130, 170, 180, 150, 130, 20]
    around = track(
        time_s=[60.0 * n for n in range(10)],
        latitude=[48.0] * 10,
        longitude=[8.0] * 10,
        altitude_ft=feet,
        ground_speed_kt=knots,
    )
    flown = airborne(around)
    assert flown is not None
    assert (flown.first, flown.last) == (1, 8)


def test_a_slip_at_the_stand_is_no_flight() -> None:
    stand = track(
        time_s=[0.0, 10, 20, 30],
        latitude=[50.0] * 4,
        longitude=[8.0] * 4,
        ground_speed_kt=[0.0, 42, 0, 0],
        told_ground=[GROUND, AIR, GROUND, GROUND],
    )
    assert airborne(stand) is None
    assert airborne(flags(GROUND, GROUND)) is None


def test_an_altitude_of_zero_is_the_ground_where_nothing_else_is_told() -> None:
    zero = track(
        time_s=[0.0, 10, 20, 30],
        latitude=[50.0, 50.0, 50.01, 50.02],
        longitude=[8.0] * 4,
        altitude_ft=[0.0, 0, 1_400, 1_900],
        ground_speed_kt=[60.0, 135, 150, 160],
    )
    flown = airborne(zero)
    assert flown is not None
    assert flown.first == 2
    told = track(
        time_s=[0.0, 10],
        latitude=[50.0, 50.0],
        longitude=[8.0, 8.0],
        altitude_ft=[0.0, 0.0],
        ground_speed_kt=[135.0, 135],
        told_ground=[AIR, AIR],
    )
    flown = airborne(told)
    assert flown is not None
    assert flown.first == 0


def test_without_altitude_speed_and_flags_everything_is_in_the_air() -> None:
    flown = airborne(flags(UNTOLD, UNTOLD))
    assert flown is not None
    assert (flown.first, flown.last) == (0, 1)


def test_take_off_and_landing_where_the_ground_is_seen() -> None:
    flight = hop()
    flown = airborne(flight)
    assert flown is not None
    for moment, true_s in ((take_off(flight, flown, None), 60), (landing(flight, flown, None), HOP_LANDS_S)):
        assert moment is not None
        assert moment.time_s == pytest.approx(true_s, abs=6)
        assert moment.confidence > 0.97


def test_a_hole_at_the_landing_is_bridged_by_height_and_distance_and_less_sure() -> None:
    flight = cut(hop(), from_s=0, to_s=HOP_LANDS_S - 60)
    flown = airborne(flight)
    assert flown is not None
    assert landing(flight, flown, None) is None  # neither ground nor field is known
    late = landing(flight, flown, Guess(icao="AASS", confidence=1.0, distance_nm=5.0, height_ft=1_272.0))
    assert late is not None
    assert late.time_s == pytest.approx(HOP_LANDS_S, abs=45)
    assert 0.5 < late.confidence <= 0.76


def test_the_end_is_on_the_ground_where_it_was_seen_there() -> None:
    flight = hop()
    flown = airborne(flight)
    assert flown is not None
    assert end_of(flight, flown, arriving=True).on_ground
    part = cut(flight, from_s=100, to_s=1_700)
    flown = airborne(part)
    assert flown is not None
    end = end_of(part, flown, arriving=True)
    assert (end.on_ground, end.course_deg) == (False, 180.0)


def test_a_course_comes_from_positions_where_none_is_told() -> None:
    east = track(time_s=[0.0, 30, 60], latitude=[50.0] * 3, longitude=[8.0, 8.02, 8.04], altitude_ft=[3_000.0] * 3)
    flown = airborne(east)
    assert flown is not None
    for arriving in (False, True):
        assert end_of(east, flown, arriving=arriving).course_deg == pytest.approx(90, abs=0.1)
    still = track(time_s=[0.0, 30], latitude=[50.0] * 2, longitude=[8.0] * 2, altitude_ft=[3_000.0] * 2)
    flown = airborne(still)
    assert flown is not None
    assert math.isnan(end_of(still, flown, arriving=True).course_deg)


def test_a_course_from_far_apart_needs_a_straight_way() -> None:
    columns = {"time_s": [0.0, 180], "longitude": [8.0, 8.0], "altitude_ft": [3_000.0] * 2}
    for miles, course in ((9.8, 0), (4.0, math.nan)):  # at 200 kt 10 miles are flown in three minutes
        far = track(latitude=[50.0, 50 + miles / 60], ground_speed_kt=[200.0] * 2, **columns)
        flown = airborne(far)
        assert flown is not None
        assert end_of(far, flown, arriving=True).course_deg == pytest.approx(course, nan_ok=True)
    unknown = track(latitude=[50.0, 50.16], **columns)
    flown = airborne(unknown)
    assert flown is not None
    assert math.isnan(end_of(unknown, flown, arriving=True).course_deg)


def test_time_in_bands_is_interpolated_and_sums_up() -> None:
    climb = track(
        time_s=[0.0, 100, 200, 1_000, 1_100],
        latitude=[50.0] * 5,
        longitude=[8.0] * 5,
        altitude_ft=[2_000.0, 4_000, 40_000, 40_000, None],
    )
    flown = airborne(climb)
    assert flown is not None
    bands = band_seconds(climb, flown.mask)
    assert bands["below_3000_ft"] == pytest.approx(50)
    assert bands["from_3000_ft"] == pytest.approx(50 + 100 * 6 / 36)
    assert bands["from_10000_ft"] == pytest.approx(100 * 15 / 36)
    assert bands["from_25000_ft"] == pytest.approx(100 * 10 / 36)
    assert bands["from_35000_ft"] == pytest.approx(100 * 5 / 36)  # and nothing of the gap of 800 s
    assert bands["unknown"] == pytest.approx(900)
    assert sum(bands.values()) == pytest.approx(1_100)


def test_level_flight_on_an_edge_is_in_the_band_above_it() -> None:
    level = track(time_s=[0.0, 100], latitude=[50.0] * 2, longitude=[8.0] * 2, altitude_ft=[10_000.0] * 2)
    flown = airborne(level)
    assert flown is not None
    assert band_seconds(level, flown.mask)["from_10000_ft"] == 100


def test_time_on_the_ground_needs_no_altitude() -> None:
    taxi = flags(GROUND, GROUND, AIR, AIR, altitude_ft=[None, None, 1_000, 1_000])
    flown = airborne(taxi)
    assert flown is not None
    bands = band_seconds(taxi, flown.mask)
    assert (bands["on_ground"], bands["unknown"]) == (60, 60)  # and 60 s below 3,000 ft


def test_gaps_are_longer_than_five_minutes() -> None:
    holes = track(time_s=[0.0, 300, 601, 700], latitude=[50.0, 50, 51, 51], longitude=[8.0] * 4)
    (gap,) = gaps(holes)
    assert (gap.from_s, gap.to_s) == (300, 601)
    assert gap.distance_nm == pytest.approx(60.07, abs=0.1)


def test_speed_or_height_makes_an_airliner() -> None:
    assert not is_fast(hop())
    assert is_fast(hop(cruise_ft=21_000))
