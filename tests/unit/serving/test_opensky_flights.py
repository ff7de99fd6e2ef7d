"""Flights and tracks as OpenSky writes them, and its limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flight_platform.settings import Settings
from serving.history import make_history
from tests.unit.serving.asking import ask
from tests.unit.serving.test_history import FLIGHT, FakeHistory

BEGIN = 1_769_860_800
START = datetime.fromtimestamp(BEGIN, UTC)
FLOWN: dict[str, Any] = {
    "flight_id": FLIGHT,
    "icao24": "3c6444",
    "callsign": "DLH9",
    "first_time": START,
    "last_time": START + timedelta(minutes=50, milliseconds=900),
    "departure_airport": "EDDF",
    "arrival_airport": None,
}
POINT: dict[str, Any] = {
    "time": START,
    "latitude": 50.033,
    "longitude": 8.57,
    "altitude_ft": 37_000,
    "track_deg": 271.5,
    "on_ground": None,
}


def _ask(url: str, history: FakeHistory) -> httpx.Response:
    return ask(make_history(Settings.read(), history, lambda: START), url)


def test_flights_of_a_window() -> None:
    history = FakeHistory([FLOWN])
    (flight,) = _ask(f"/api/flights/all?begin={BEGIN}&end={BEGIN + 7200}", history).json()
    assert flight["callsign"] == "DLH9    "
    assert (flight["firstSeen"], flight["lastSeen"]) == (BEGIN, BEGIN + 3000)
    assert (flight["estDepartureAirport"], flight["estArrivalAirport"]) == ("EDDF", None)
    assert history.asked[0]["from_time"] == START
    # OpenSky's own client takes the values by their place.
    assert list(flight)[:6] == [
        "icao24",
        "firstSeen",
        "estDepartureAirport",
        "lastSeen",
        "estArrivalAirport",
        "callsign",
    ]
    assert len(flight) == 12


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("aircraft?icao24=3C6444", {"icao24": "3c6444"}),
        ("arrival?airport=lszh", {"arrival_airport": "LSZH"}),
        ("departure?airport=EDDF", {"departure_airport": "EDDF"}),
    ],
)
def test_flights_of_an_aircraft_and_of_an_airport(path: str, asked: dict[str, str]) -> None:
    history = FakeHistory([FLOWN])
    assert len(_ask(f"/api/flights/{path}&begin={BEGIN}&end={BEGIN + 86_400}", history).json()) == 1
    assert asked.items() <= history.asked[0].items()


def test_a_track() -> None:
    body = _ask(f"/api/tracks/all?icao24=3c6444&time={BEGIN}", FakeHistory([FLOWN], [POINT])).json()
    assert body["path"] == [[BEGIN, 50.033, 8.57, 11_278, 271.5, False]]
    assert (body["startTime"], body["endTime"], body["callsign"]) == (BEGIN, BEGIN, "DLH9")
    history = FakeHistory([FLOWN], [POINT])
    _ask("/api/tracks/all?icao24=3c6444&time=0", history)
    assert history.asked[0]["from_time"] == START - timedelta(minutes=1), "0 is now"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"/api/flights/all?begin={BEGIN}&end={BEGIN + 7201}", 422),
        (f"/api/flights/all?begin={BEGIN}&end={BEGIN}", 422),
        (f"/api/flights/all?begin={BEGIN}", 422),
        (f"/api/flights/arrival?airport=Z%C3%BCrich&begin={BEGIN}&end={BEGIN + 60}", 422),
        (f"/api/flights/all?begin={BEGIN}&end={BEGIN + 60}", 404),
        (f"/api/tracks/all?icao24=3c6444&time={BEGIN}", 404),
    ],
)
def test_what_opensky_refuses_is_refused(url: str, status: int) -> None:
    assert _ask(url, FakeHistory()).status_code == status
