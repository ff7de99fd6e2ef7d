"""Tracks from columns, and the geometry against geographiclib."""

import math

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

from flight_platform.codec import decode_columns, encode
from flight_platform.flights.track import (
    AIR,
    GROUND,
    UNTOLD,
    Track,
    around,
    legs_nm,
    stretches,
    turn_deg,
    without_spikes,
)
from flight_platform.model import Position, make_flight_id
from tests.unit.flight_platform.flights.made import track


def position(time: int, **fields: object) -> Position:
    values = {"icao24": "4ca001", "received_at": time, "latitude": 50.0, "longitude": 8.0, **fields}
    return Position(time=time, flight_id=make_flight_id(0x4CA001, 1), **values)  # type: ignore[arg-type]


def test_what_is_unknown_is_nan_and_a_zero_is_a_zero() -> None:
    reports = [
        position(1_000, altitude_ft=0, ground_speed_kt=0.0, track_deg=0.0, vertical_rate_fpm=0, on_ground=True),
        position(2_500, geometric_altitude_ft=1_200, on_ground=False, latitude=-0.0000001),
        position(3_000),
    ]
    made = Track.of(decode_columns([encode(report) for report in reports])[0])
    assert made.time_s.tolist() == [1.0, 2.5, 3.0]
    assert made.latitude.tolist() == [50.0, -1e-7, 50.0]
    assert made.altitude_ft[:2].tolist() == [0.0, 1200.0]  # the geometric one where there is no other
    assert math.isnan(made.altitude_ft[2])
    assert made.told_ground.tolist() == [GROUND, AIR, UNTOLD]
    for values in (made.ground_speed_kt, made.track_deg, made.vertical_rate_fpm):
        assert values[0] == 0
        assert np.isnan(values[1:]).all()


def test_an_altitude_that_nothing_leads_to_is_unknown() -> None:
    feet = [300.0, 72_500, 400, None, 900, 30_000]
    climb = track(time_s=[0.0, 1, 2, 3, 4, 10], latitude=[50.0] * 6, longitude=[8.0] * 6, altitude_ft=feet)
    assert np.isnan(without_spikes(climb).altitude_ft).tolist() == [False, True, False, True, False, True]
    single = track(time_s=[0.0], latitude=[50.0], longitude=[8.0], altitude_ft=[72_500.0])
    assert without_spikes(single).altitude_ft.tolist() == [72_500]


def test_each_flight_has_its_rows() -> None:
    assert [(s.start, s.stop) for s in stretches(np.array([3, 3, 5, 9, 9, 9]))] == [(0, 2), (2, 3), (3, 6)]
    assert list(stretches(np.zeros(0))) == []


@pytest.mark.parametrize("step_deg", [0.0001, 0.1, 1.4, 20.0])
@pytest.mark.parametrize("latitude", [0.0, 47.0, -69.5, 80.0])
def test_legs_are_those_of_the_ellipsoid(latitude: float, step_deg: float) -> None:
    latitudes = np.array([latitude, latitude + min(step_deg, 5.0), latitude])
    longitudes = np.array([179.99, -179.99, 179.99 - step_deg])
    expected = [
        Geodesic.WGS84.Inverse(latitudes[n], longitudes[n], latitudes[n + 1], longitudes[n + 1])["s12"] / 1852
        for n in (0, 1)
    ]
    assert legs_nm(latitudes, longitudes) == pytest.approx(expected, rel=2e-6)


def test_a_place_is_seen_across_the_antimeridian() -> None:
    east, north = around(0.0, 179.9, np.array([0.1]), np.array([-179.9]))
    assert east.tolist() == pytest.approx([12.0])
    assert north.tolist() == pytest.approx([6.0])
    assert turn_deg(350.0, np.array([10.0, 170.0, 350.0])).tolist() == [20.0, 180.0, 0.0]
