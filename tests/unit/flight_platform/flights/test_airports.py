"""Which field explains an end: near and far, two fields side by side, runways, fields too high or too small."""

import math
from typing import Any

import pytest

from flight_platform.flights.airports import Airports
from flight_platform.flights.paths import End
from tests.unit.flight_platform.flights.made import NEAR_SOUTH, NORTH, SOUTH, STRIP, WORLD, runway


def arriving(distance_nm: float, height_ft: float, **fields: Any) -> End:
    """From the north towards South, or as the fields say."""
    values: dict[str, Any] = {
        "arriving": True,
        "latitude": SOUTH.latitude + distance_nm / 60,
        "longitude": SOUTH.longitude,
        "altitude_ft": 1_500 + height_ft,
        "course_deg": 180.0,
        "on_ground": False,
        "fast": True,
        **fields,
    }
    return End(**values)


def test_an_aircraft_on_the_usual_path_is_bound_for_that_field() -> None:
    for distance_nm, height_ft in ((1.5, 150), (4.0, 950), (7.0, 1_900), (10.0, 2_900)):
        guess = WORLD.guess(arriving(distance_nm, height_ft))
        assert guess is not None
        assert guess.icao == "AASS"
        assert guess.confidence > 0.9
        assert guess.distance_nm == pytest.approx(distance_nm, rel=0.01)
        assert guess.height_ft == height_ft


def test_far_from_any_path_no_field_is_sure() -> None:
    for end in (
        arriving(12, 500, course_deg=90.0),  # too low and not headed for it
        arriving(30, 1_000, course_deg=0.0),
        arriving(1, 7_500),  # overhead
        arriving(15, 4_000, latitude=49.0),  # between the two
    ):
        guess = WORLD.guess(end)
        assert guess is None or not guess.is_sure


def test_who_is_high_or_has_no_altitude_is_bound_for_anywhere() -> None:
    assert WORLD.guess(arriving(5, 30_000)) is None
    assert WORLD.guess(arriving(5, math.nan)) is None
    assert WORLD.guess(arriving(5, 1_000, latitude=0.0)) is None  # no field around


def test_on_the_ground_the_place_tells_and_the_altitude_does_not() -> None:
    guess = WORLD.guess(arriving(0.5, -1_500, on_ground=True))
    assert guess is not None
    assert (guess.icao, guess.confidence > 0.95) == ("AASS", True)
    assert WORLD.guess(arriving(8, 0, on_ground=True, latitude=49.0)) is None
    off = WORLD.guess(arriving(8, 0, on_ground=True))
    assert off is not None
    assert not off.is_sure


def test_an_airliner_prefers_the_field_that_airlines_use_and_a_slow_one_may_use_the_strip() -> None:
    airliner = WORLD.guess(arriving(2.2, 300))
    assert airliner is not None
    assert airliner.icao == "AASS"
    over_the_strip = {"latitude": STRIP.latitude + 1.2 / 60, "longitude": STRIP.longitude}
    slow = WORLD.guess(arriving(0, 60, fast=False, **over_the_strip))
    assert slow is not None
    assert slow.icao == "AAS1"


def test_of_two_fields_side_by_side_none_is_named_until_runways_tell_them_apart() -> None:
    pair = [NORTH, SOUTH, NEAR_SOUTH]
    end = arriving(5, 1_400)
    unsure = Airports(pair).guess(end)
    assert unsure is not None
    assert not unsure.is_sure
    runways = [runway(SOUTH, 180), runway(SOUTH, 0), runway(NEAR_SOUTH, 180), runway(NEAR_SOUTH, 0)]
    sure = Airports(pair, runways).guess(end)
    assert sure is not None
    assert (sure.icao, sure.is_sure) == ("AASS", True)


def test_a_departure_points_back_to_its_field() -> None:
    away = arriving(3.0, 1_900, arriving=False, course_deg=0.0)
    guess = WORLD.guess(away)
    assert guess is not None
    assert (guess.icao, guess.confidence > 0.9) == ("AASS", True)


def test_a_short_runway_is_none_for_a_jet() -> None:
    short = Airports([SOUTH, NEAR_SOUTH], [runway(SOUTH, 180, 2_500), runway(NEAR_SOUTH, 180, 9_000)])
    guess = short.guess(arriving(0.3, 0, on_ground=True, longitude=8.03))
    assert guess is not None
    assert (guess.icao, guess.confidence > 0.9) == ("AAST", True)


def test_pressure_may_put_an_aircraft_below_the_field_but_not_far_below() -> None:
    low_pressure = WORLD.guess(arriving(1.5, -300))
    assert low_pressure is not None
    assert low_pressure.icao == "AASS"
    assert low_pressure.is_sure
    under_ground = WORLD.guess(arriving(1.5, -1_600))
    assert under_ground is not None
    assert not under_ground.is_sure


def test_nothing_is_known_without_airports() -> None:
    assert Airports([]).guess(arriving(1, 100)) is None
