"""What clients of OpenSky and of readsb are told is what our own decoders of both formats read back."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from flight_platform.kafka import now_ms
from flight_platform.model import Emergency, Kind, Position, make_flight_id
from flight_platform.settings import Settings
from serving.active import make_active
from serving.opensky_states import vector
from streaming.sources import opensky_format, readsb_format
from tests.unit.serving.asking import ask
from tests.unit.serving.test_active import FakeReader


def sky() -> list[Position]:
    """An airliner that tells all, one at its stand, one that tells nothing but where it is, and a TIS-B track."""
    now = now_ms() // 1000 * 1000
    whole = Position(
        icao24="3c6444",
        time=now,
        received_at=now,
        latitude=47.4567,
        longitude=8.5432,
        altitude_ft=37_000,
        geometric_altitude_ft=37_850,
        on_ground=False,
        ground_speed_kt=448.2,
        track_deg=271.5,
        vertical_rate_fpm=-64,
        callsign="DLH9",
        squawk="0700",
        emergency=Emergency.MINIMUM_FUEL,
        kind=Kind.ADSB,
    )
    bare = Position(icao24="4b1800", time=now, received_at=now, latitude=-33.5, longitude=151.25)
    parked = replace(whole, icao24="4b1801", on_ground=True, altitude_ft=None, vertical_rate_fpm=0, kind=Kind.MLAT)
    other = replace(bare, icao24="~2a1b3c", kind=Kind.TISB)
    return [with_flight(number, position) for number, position in enumerate([whole, bare, parked, other])]


def with_flight(number: int, position: Position) -> Position:
    return replace(position, flight_id=make_flight_id(0x3C6444 + number, 1_769_860_000))


def app(positions: list[Position]) -> FastAPI:
    return make_active(Settings.read(), FakeReader(*positions))


def told(position: Position) -> dict[str, Any]:
    """What both formats can carry of a position, in the steps in which they do."""
    return {
        "icao24": position.icao24,
        "latitude": pytest.approx(position.latitude, abs=1e-4),
        "longitude": pytest.approx(position.longitude, abs=1e-4),
        "altitude_ft": position.altitude_ft,
        "geometric_altitude_ft": position.geometric_altitude_ft,
        "ground_speed_kt": None
        if position.ground_speed_kt is None
        else pytest.approx(position.ground_speed_kt, abs=0.1),
        "track_deg": position.track_deg,
        # OpenSky's hundredths of a metre a second are two feet a minute.
        "vertical_rate_fpm": None
        if position.vertical_rate_fpm is None
        else pytest.approx(position.vertical_rate_fpm, abs=1),
        "callsign": position.callsign,
        "squawk": position.squawk,
    }


def read_back(position: Position) -> dict[str, Any]:
    return {name: getattr(position, name) for name in told(position)}


def test_aircraft_json_is_what_readsb_writes() -> None:
    positions = sky()
    answer = ask(app(positions), "/data/aircraft.json?_=1769860000123").json()
    assert None not in [value for entry in answer["aircraft"] for value in entry.values()]
    batch = readsb_format.decode_answer(answer, source="test", received_at=now_ms())
    assert not batch.refused
    for written, read in zip(positions, batch.positions, strict=True):
        assert read_back(read) == told(written)
        assert abs(read.time - written.time) < 1_500
        assert (read.kind or Kind.OTHER) == (written.kind or Kind.OTHER)
        assert bool(read.on_ground) == bool(written.on_ground)
        assert read.emergency == written.emergency


def test_receiver_json_tells_tar1090_how_often_to_ask() -> None:
    assert ask(app(sky()), "/data/receiver.json").json() == {
        "version": "flight-platform",
        "refresh": 1000,
        "history": 0,
    }


def test_states_are_what_opensky_writes() -> None:
    positions = sky()
    answer = ask(app(positions), "/api/states/all").json()
    assert {len(state) for state in answer["states"]} == {17}
    batch = opensky_format.decode_answer(answer, source="test", received_at=now_ms())
    assert not batch.refused
    for written, read in zip(positions, batch.positions, strict=True):
        assert read_back(read) == told(written) | {"icao24": written.icao24.removeprefix("~")}
        assert read.time == written.time
        assert read.on_ground is bool(written.on_ground), "OpenSky knows no unknown here"


def test_states_of_a_box_of_some_aircraft_and_extended() -> None:
    def addresses(query: str) -> list[str]:
        return [state[0] for state in ask(app(sky()), f"/api/states/all?{query}").json()["states"] or []]

    assert addresses("lamin=45&lomin=5&lamax=48&lomax=11") == ["3c6444", "4b1801"]
    assert addresses("icao24=4b1800&icao24=3C6444") == ["3c6444", "4b1800"]
    assert addresses("icao24=ffffff") == []
    assert addresses("time=0&icao24=4b1800&extended=1") == ["4b1800"]
    assert len(vector(sky()[0], extended=True)) == 18


@pytest.mark.parametrize("query", ["lamin=45", "lamin=north&lomin=0&lamax=1&lomax=1", "time=1", "icao24=xyz"])
def test_what_cannot_be_answered_is_refused(query: str) -> None:
    answer = ask(app(sky()), f"/api/states/all?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


def test_it_is_the_same_answer_until_the_sky_changes() -> None:
    first = ask(app(sky()), "/data/aircraft.json")
    assert first.headers["cache-control"] == "public, max-age=1"
    assert first.headers["etag"]
