"""What the clients that exist ask, recorded from them as they ran; docs/clients.md says which, and how they find us."""

import pytest

from tests.unit.serving.asking import ask
from tests.unit.serving.test_compatibility import app, sky
from tests.unit.serving.test_history import FakeHistory
from tests.unit.serving.test_opensky_flights import BEGIN, FLOWN, POINT, _ask

BROWSER = {
    "accept": "application/json, text/javascript, */*; q=0.01",
    "accept-encoding": "gzip, deflate, br, zstd",
    "x-requested-with": "XMLHttpRequest",
}
HTTPX = {"accept": "*/*", "accept-encoding": "gzip, deflate"}
LIVE = [
    ("tar1090", "/data/receiver.json?_=1795671187066", BROWSER),
    ("tar1090", "/data/aircraft.json", BROWSER),
    ("pyopensky", "/api/states/all", HTTPX),
    ("pyopensky", "/api/states/all?lamin=30.0&lamax=60.0&lomin=-20.0&lomax=40.0", HTTPX),
]
HISTORY = [
    f"/api/tracks/?icao24=3c6444&time={BEGIN}",
    "/api/tracks/?icao24=3c6444&time=0",
    f"/api/flights/aircraft?icao24=3c6444&begin={BEGIN}&end={BEGIN + 86_400}",
    f"/api/flights/arrival?begin={BEGIN}&airport=LSZH&end={BEGIN + 86_400}",
    f"/api/flights/departure?begin={BEGIN}&airport=EDDF&end={BEGIN + 86_400}",
]
STATE_COLUMNS = 17  # as many as pyopensky has names for
WAYPOINT_COLUMNS = 6
FLIGHT_COLUMNS = {"firstSeen", "lastSeen", "icao24", "callsign", "estDepartureAirport", "estArrivalAirport"}


@pytest.mark.parametrize(("client", "url", "headers"), LIVE)
def test_what_they_ask_of_the_sky_of_now_is_answered(client: str, url: str, headers: dict[str, str]) -> None:
    answer = ask(app(sky()), url, headers=headers)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    if client == "tar1090":  # without these it shows an error, or no aircraft
        assert {"refresh", "version", "history"} <= told.keys() or {"now", "aircraft"} <= told.keys()
        assert all(
            {"hex", "seen", "seen_pos", "lat", "lon", "messages"} <= one.keys() for one in told.get("aircraft", [])
        )
    else:
        assert {len(state) for state in told["states"]} == {STATE_COLUMNS}


@pytest.mark.parametrize("url", HISTORY)
def test_what_pyopensky_asks_of_history_is_answered(url: str) -> None:
    answer = _ask(url, FakeHistory([FLOWN], [POINT]))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    if "tracks" in url:
        assert {"icao24", "callsign"} <= told.keys()
        assert {len(waypoint) for waypoint in told["path"]} == {WAYPOINT_COLUMNS}
    else:
        assert all(flight.keys() >= FLIGHT_COLUMNS for flight in told)
