"""readsb's `/data/aircraft.json` and `/data/receiver.json` over the live store, so that an unmodified tar1090 page, and
whatever else reads them, shows this platform's sky.

The form is readsb's (README-json.md of wiedehopf/readsb): a missing key means unknown, there are no nulls. What only a
receiver knows (signal level, counts of messages) is 0 where tar1090 needs the key, and missing elsewhere.
"""

import json
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from flight_platform.model import Emergency, Kind, Position
from serving.live_store import LiveStore
from serving.problems import responses
from serving.rendered import rendered_once
from serving.snapshot import Snapshot

_CALLSIGN_WIDTH: Final = 8
_NO_SIGNAL_DBFS: Final = -49.5  # what readsb itself writes where it has no level
_TYPES: Final[dict[Kind | None, tuple[str, str]]] = {  # of an ICAO address, and of another
    Kind.ADSB: ("adsb_icao", "adsb_other"),
    Kind.ADSR: ("adsr_icao", "adsr_other"),
    Kind.TISB: ("tisb_icao", "tisb_other"),
    Kind.ADSC: ("adsc", "adsc"),
    Kind.MLAT: ("mlat", "mlat"),
    Kind.MODE_S: ("mode_s", "mode_s"),
}
_OTHER: Final = ("other", "other")
_EMERGENCIES: Final[dict[Emergency, str]] = {
    Emergency.NONE: "none",
    Emergency.GENERAL: "general",
    Emergency.MEDICAL: "lifeguard",
    Emergency.MINIMUM_FUEL: "minfuel",
    Emergency.NO_RADIO: "nordo",
    Emergency.UNLAWFUL: "unlawful",
    Emergency.DOWNED: "downed",
    Emergency.RESERVED: "reserved",
}


class AircraftJson(BaseModel):
    """readsb's aircraft.json."""

    now: float = Field(description="when this picture was taken, Unix seconds")
    messages: int = Field(description="always 0: messages are counted at the receivers")
    aircraft: list[dict[str, Any]] = Field(description="one object an aircraft; a missing key means unknown")


class ReceiverJson(BaseModel):
    """readsb's receiver.json."""

    version: str
    refresh: int = Field(description="how often to ask, milliseconds")
    history: int = Field(description="how many history files there are: none, `/v1/flights` has more")


routes = APIRouter(tags=["compatibility"])


@routes.get(
    "/data/aircraft.json", summary="The sky, as readsb has it", response_model=AircraftJson, responses=responses(503)
)
async def aircraft_json(request: Request, store: LiveStore) -> Response:
    """Every aircraft of the last minute; at most a second old. Parameters against caches are ignored."""
    snapshot = await store.world()
    rendered = await rendered_once(snapshot, "aircraft.json", lambda: _body(snapshot))
    return rendered.answer(request, "application/json", {"Vary": "Accept-Encoding"})


@routes.get(
    "/data/receiver.json",
    summary="The receiver, as readsb has it",
    response_model=ReceiverJson,
    responses=responses(),
)
async def receiver_json() -> ReceiverJson:
    """What tar1090 asks first. No place is told: a platform has many receivers."""
    return ReceiverJson(version="flight-platform", refresh=1_000, history=0)


def _body(snapshot: Snapshot) -> bytes:
    now_s = snapshot.time_ms / 1000
    aircraft = [object_of(position, snapshot.time_ms) for position in snapshot.positions]
    return json.dumps({"now": now_s, "messages": 0, "aircraft": aircraft}, separators=(",", ":")).encode()


def object_of(position: Position, now_ms: int) -> dict[str, Any]:
    """The object of an aircraft in aircraft.json."""
    seen_s = max(0.0, round((now_ms - position.time) / 1000, 1))
    grounded = position.on_ground is True
    told = {
        "hex": position.icao24,
        "type": _TYPES.get(position.kind, _OTHER)[position.icao24.startswith("~")],
        "flight": None if position.callsign is None else position.callsign.ljust(_CALLSIGN_WIDTH),
        "alt_baro": "ground" if grounded else position.altitude_ft,
        "alt_geom": position.geometric_altitude_ft,
        "gs": position.ground_speed_kt,
        "track": position.track_deg,
        "baro_rate": position.vertical_rate_fpm,
        "squawk": position.squawk,
        "emergency": None if position.emergency is None else _EMERGENCIES[position.emergency],
        "lat": round(position.latitude, 6),
        "lon": round(position.longitude, 6),
        "seen_pos": seen_s,
        "seen": seen_s,
        "mlat": ["lat", "lon"] if position.kind is Kind.MLAT else [],
        "tisb": ["lat", "lon"] if position.kind is Kind.TISB else [],
        "messages": 0,
        "rssi": _NO_SIGNAL_DBFS,
    }
    return {name: value for name, value in told.items() if value is not None}
