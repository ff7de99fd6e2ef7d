"""A flight in one record."""

from typing import Any

import numpy as np
import pytest

from flight_platform.flights.airports import Airports
from flight_platform.flights.summary import summarise
from flight_platform.flights.track import Track, geodesic_nm
from tests.unit.flight_platform.flights.made import HOP_LANDS_S, WORLD, cut, hop, track


def names(tracked: Track, *told: bytes) -> Any:
    return np.array([told[n % len(told)] for n in range(len(tracked))] if told else [b""] * len(tracked), dtype="S8")


def test_a_whole_flight() -> None:
    flight = hop()
    summary = summarise(7, flight, names(flight, b"TEST1"), WORLD, ended=False)  # seen on the ground: it has landed
    assert (summary.flight_id, summary.positions, summary.callsign) == (7, len(flight), "TEST1")
    assert summary.departure is not None
    assert summary.arrival is not None
    assert (summary.departure.icao, summary.arrival.icao) == ("AANN", "AASS")
    assert summary.take_off is not None
    assert summary.landing is not None
    assert summary.take_off.time_s == pytest.approx(60, abs=10)
    assert summary.landing.time_s == pytest.approx(HOP_LANDS_S, abs=10)
    assert summary.distance_nm == pytest.approx(
        geodesic_nm(summary.first_latitude, 8.0, summary.last_latitude, 8.0), rel=1e-6
    )
    assert (summary.max_altitude_ft, summary.max_ground_speed_kt) == (20_000, 240)
    assert summary.average_ground_speed_kt == pytest.approx(225, abs=10)
    assert sum(summary.band_s.values()) == pytest.approx(summary.last_s - summary.first_s)
    assert summary.gaps == ()


def test_who_is_still_in_the_air_has_not_arrived() -> None:
    part = cut(hop(), to_s=HOP_LANDS_S - 60)
    flying = summarise(7, part, names(part), WORLD, ended=False)
    assert flying.departure is not None
    assert (flying.arrival, flying.landing) == (None, None)
    ended = summarise(7, part, names(part), WORLD, ended=True)
    assert ended.arrival is not None
    assert ended.arrival.icao == "AASS"
    assert ended.landing is not None


def test_a_hole_at_both_ends_names_no_airport_rather_than_a_wrong_one() -> None:
    part = cut(hop(), from_s=600, to_s=1_000)
    summary = summarise(7, part, names(part), WORLD, ended=True)
    assert (summary.departure, summary.take_off, summary.arrival, summary.landing) == (None, None, None, None)


def test_what_is_not_told_is_unknown() -> None:
    silent = track(time_s=[0.0, 10.0], latitude=[50.0, 50.1], longitude=[8.0, 8.0])
    summary = summarise(7, silent, names(silent), Airports([]), ended=True)
    assert (summary.callsign, summary.callsigns) == (None, ())
    assert (summary.max_altitude_ft, summary.max_ground_speed_kt, summary.average_ground_speed_kt) == (None, None, None)
    assert summary.band_s["unknown"] == 10


def test_one_report_is_a_flight_too() -> None:
    single = track(time_s=[5.0], latitude=[50.0], longitude=[8.0], altitude_ft=[35_000.0])
    summary = summarise(7, single, names(single, b"A"), WORLD, ended=True)
    assert (summary.distance_nm, summary.positions, summary.first_s, summary.last_s) == (0, 1, 5, 5)
    assert summary.departure is None


def test_the_last_callsign_is_the_flights_and_the_others_are_kept() -> None:
    flight = hop(step_s=60)
    told = names(flight)
    told[3:6] = b"OLD"
    told[8] = b"NEW"
    told[9] = b"OLD"
    told[10] = b"NEW"
    summary = summarise(7, flight, told, WORLD, ended=True)
    assert (summary.callsign, summary.callsigns) == ("NEW", ("OLD", "NEW"))
