"""Degrees and metres as Tile38 reckons them; the numbers were read off a Tile38 1.37.0."""

import math

import pytest

from flight_platform.embedded.geometry import (
    Box,
    destination,
    distance_m,
    haversine,
    haversine_of,
    latitude_band,
    number_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (10.5, "10.5"),
        (-0.0, "-0"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
        (1700413788.453, "1700413788.453"),
    ],
)
def test_a_number_is_written_short_and_without_an_exponent(value: float, text: str) -> None:
    assert number_text(value) == text


def test_distance_is_that_of_tile38() -> None:
    assert distance_m(haversine(1, 3, 1, 2)) == pytest.approx(111177.99068882647, rel=1e-12)
    assert distance_m(haversine(10, 20, 11, 21)) == pytest.approx(155941.21480117156, rel=1e-12)


def test_distance_does_not_mind_the_antimeridian() -> None:
    assert distance_m(haversine(0, 179.9, 0, -179.9)) == pytest.approx(distance_m(haversine(0, 0, 0, 0.2)))


@pytest.mark.parametrize("metres", [0.0, 1.0, 5e4, 1.9e7])
def test_a_measure_and_its_distance_belong_together(metres: float) -> None:
    assert distance_m(haversine_of(metres)) == pytest.approx(metres, abs=1e-6)


def test_a_distance_beyond_half_the_earth_reaches_everything() -> None:
    assert haversine_of(1e9) == pytest.approx(1.0)


def test_the_world_is_one_tile() -> None:
    south, west, north, east = Box.of_tile(0, 0, 0)
    assert (west, east) == (-180, 180)
    assert (south, north) == pytest.approx((-85.05112878, 85.05112878))


def test_tiles_share_their_edges() -> None:
    here, right, below = Box.of_tile(32, 22, 6), Box.of_tile(33, 22, 6), Box.of_tile(32, 23, 6)
    assert (here.east, here.south) == (right.west, below.north)


def test_a_tile_beyond_the_map_holds_nothing() -> None:
    box = Box.of_tile(5, 5, 0)
    assert box.south > box.north or box.west >= box.east


def test_a_circles_box_touches_the_circle() -> None:
    box = Box.around(48.0, 2.0, 100_000)
    assert distance_m(haversine(48.0, 2.0, box.north, 2.0)) == pytest.approx(100_000)
    assert box.east - 2.0 == pytest.approx(2.0 - box.west)


def test_one_arrives_where_the_bearing_leads() -> None:
    assert destination(0, 0, 111_194.92664455873, 90) == pytest.approx((0, 1))
    assert destination(0, 180, 111_194.92664455873, 90)[1] == pytest.approx(-179)


def test_nothing_outside_the_band_is_so_near() -> None:
    south, north = latitude_band(60.0, 200_000)
    for latitude in (south, north):
        assert distance_m(haversine(60.0, 10.0, latitude, 10.0)) >= 200_000
    assert math.isclose(north - 60.0, 60.0 - south)
