"""OpenSky's `/api/states/all` over the live store, so that clients of OpenSky work against this platform unchanged.

Units and the order of the elements are OpenSky's (openskynetwork.github.io/opensky-api/rest.html): metres, metres a
second, longitude before latitude. What it tells and we do not know is null, or empty where it promises a text: the
country of the register, the receivers. Flights and tracks of OpenSky are `opensky_flights.py`'s.
"""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flight_platform.kafka import now_ms
from flight_platform.model import Kind, Position
from serving.live_store import LiveStore
from serving.operations import Operation
from serving.parameters import Box, Icao24
from serving.problems import invalid, responses
from serving.rendered import rendered_once
from serving.snapshot import Snapshot

FOOT_M: Final = 0.3048
KNOT_M_S: Final = 1852 / 3600
FOOT_A_MINUTE_M_S: Final = FOOT_M / 60
_NOW_S: Final = 60  # a time this near is now: all that this API has is the last minute
_CALLSIGN_WIDTH: Final = 8  # padded with spaces, as OpenSky does
_POSITION_SOURCE: Final[dict[Kind, int]] = {Kind.ASTERIX: 1, Kind.MLAT: 2, Kind.FLARM: 3}  # all others: 0, ADS-B


class StatesQuery(BaseModel):
    """OpenSky's parameters. One that it does not know it ignores, and so do we here."""

    model_config = ConfigDict(frozen=True)

    time: int = Field(0, ge=0, le=1 << 40, description="Unix seconds, 0 is now; an older sky is history's")
    icao24: tuple[Icao24, ...] = Field((), description="these aircraft; may be repeated", examples=[["3c6444"]])
    lamin: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, description="southern edge, degrees")
    lomin: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False, description="western edge, degrees")
    lamax: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, description="northern edge, degrees")
    lomax: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False, description="eastern edge, degrees")
    extended: bool = Field(False, description="with the category, as element 17")

    @model_validator(mode="after")
    def _is_whole(self) -> "StatesQuery":
        edges = (self.lamin, self.lomin, self.lamax, self.lomax)
        if any(edge is None for edge in edges) and any(edge is not None for edge in edges):
            raise ValueError("a box needs all four of lamin, lomin, lamax and lomax")
        return self

    @property
    def box(self) -> Box | None:
        if self.lamin is None or self.lomin is None or self.lamax is None or self.lomax is None:
            return None
        return Box(west=self.lomin, south=self.lamin, east=self.lomax, north=self.lamax)


class States(BaseModel):
    """OpenSky's answer."""

    time: int = Field(description="Unix seconds: the sky is that of this second")
    states: list[list[Any]] | None = Field(description="state vectors, 17 elements each (18 with extended); null: none")


routes = APIRouter(tags=["compatibility"], route_class=Operation)


@routes.get(
    "/api/states/all",
    summary="State vectors, as OpenSky has them",
    response_model=States,
    responses=responses(422, 503),
)
async def states(request: Request, query: Annotated[StatesQuery, Query()], store: LiveStore) -> Response:
    """The newest state of every aircraft, or of those in a box or named. At most a second old."""
    if query.time and abs(query.time - now_ms() / 1000) > _NOW_S:
        raise invalid("time", "this is the sky of now; that of another time is in history: /v1/positions?time=")
    snapshot = await store.world()
    key = ("opensky", query.icao24, query.box, query.extended)
    rendered = await rendered_once(snapshot, key, lambda: _body(snapshot, query))
    return rendered.answer(request, "application/json", {"Vary": "Accept-Encoding"})


def _body(snapshot: Snapshot, query: StatesQuery) -> bytes:
    wanted = frozenset(query.icao24)
    inside = snapshot.frame.within(query.box)
    vectors = [
        vector(position, extended=query.extended)
        for position, is_inside in zip(snapshot.positions, inside.tolist(), strict=True)
        if is_inside and (not wanted or position.icao24 in wanted)
    ]
    return json.dumps({"time": snapshot.time_ms // 1000, "states": vectors or None}).encode()


def vector(position: Position, *, extended: bool = False) -> list[Any]:
    """The state vector of a position, elements 0 to 16 (to 17 with `extended`)."""
    callsign = position.callsign
    seconds = position.time // 1000
    elements = [
        position.icao24.removeprefix("~"),
        None if callsign is None else callsign.ljust(_CALLSIGN_WIDTH),
        "",
        seconds,
        max(seconds, position.received_at // 1000),
        round(position.longitude, 4),
        round(position.latitude, 4),
        _scaled(position.altitude_ft, FOOT_M),
        position.on_ground is True,
        _scaled(position.ground_speed_kt, KNOT_M_S),
        position.track_deg,
        _scaled(position.vertical_rate_fpm, FOOT_A_MINUTE_M_S),
        None,
        _scaled(position.geometric_altitude_ft, FOOT_M),
        position.squawk,
        False,
        0 if position.kind is None else _POSITION_SOURCE.get(position.kind, 0),
    ]
    return [*elements, 0] if extended else elements


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else round(value * factor, 2)
