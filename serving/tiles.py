"""The map cut into tiles, so that a crowd costs what the map costs: each is rendered at most once a second for all.

    GET /v1/live/tiles/{z}/{x}/{y}.{pb|json}

Tiles are those of web maps (Web Mercator, z 0 is the world, y runs from north to south). They end at 85.05 degrees;
flights nearer to a pole are in the tiles of the first and the last row. A tile's bytes change only with its flights:
how old the picture is stands in the headers. What a cache in front may do with it is in `rendered.py`.
"""

import math
from enum import StrEnum
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Path, Request, Response

from serving.frame import Array, Frame
from serving.live_answers import LIMIT, LiveTile
from serving.live_formats import Format, Head, list_body
from serving.live_store import LiveStore
from serving.operations import Operation
from serving.parameters import EXAMPLES
from serving.problems import ProblemError, responses
from serving.rendered import rendered_once
from serving.snapshot import Snapshot

DEEPEST: Final = 16  # a tile of 600 m: below, there is no more than a flight in it
HEADERS: Final = {
    "Flight-Watermark": {
        "description": "newest event time in the live store; absent where it has seen none",
        "schema": {"type": "string"},
    },
    "Flight-Age": {"description": "how old that was when the store was read, seconds", "schema": {"type": "string"}},
}
NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "What `If-None-Match` names is still so", "headers": HEADERS}
}


def binary(message: str) -> dict[str, Any]:
    """How OpenAPI tells a protobuf answer."""
    return {"schema": {"type": "string", "format": "binary", "description": message}}


class Suffix(StrEnum):
    """A tile's format, in its path so that a cache tells them apart."""

    PB = "pb"
    JSON = "json"

    @property
    def form(self) -> Format:
        return Format.PROTOBUF if self is Suffix.PB else Format.JSON


routes = APIRouter(tags=["live"], route_class=Operation)


@routes.get(
    "/v1/live/tiles/{z}/{x}/{y}.{suffix}",
    summary="The flights of a tile of the map",
    response_model=LiveTile,
    responses={
        200: {"headers": HEADERS, "content": {Format.PROTOBUF.media_type: binary("flight.v1.LiveList")}},
        **NOT_MODIFIED,
        **responses(404, 422, 503),
    },
)
async def tile(
    request: Request,
    z: Annotated[int, Path(ge=0, le=DEEPEST, description="zoom level", examples=[EXAMPLES["z"]])],
    x: Annotated[int, Path(ge=0, lt=1 << DEEPEST, description="column, from the west", examples=[EXAMPLES["x"]])],
    y: Annotated[int, Path(ge=0, lt=1 << DEEPEST, description="row, from the north", examples=[EXAMPLES["y"]])],
    suffix: Annotated[Suffix, Path(description="pb is flight.v1.LiveList", examples=[EXAMPLES["suffix"]])],
    store: LiveStore,
) -> Response:
    """The newest position of each flight of a tile, the same for everybody for a second; 304 where none has changed."""
    if max(x, y) >= 1 << z:
        raise ProblemError(404, "no-such-tile", f"at zoom {z} columns and rows go from 0 to {(1 << z) - 1}")
    snapshot = await store.world()
    rendered = await rendered_once(snapshot, ("tile", z, x, y, suffix), lambda: _body(snapshot, z, x, y, suffix))
    headers = {"Vary": "Accept-Encoding", **freshness(snapshot.head())}  # with more in `Vary`, few caches keep it
    return rendered.answer(request, suffix.form.media_type, headers)


def freshness(head: Head) -> dict[str, str]:
    """The headers that tell how old a picture is."""
    told = head.freshness()
    if told["watermark"] is None:
        return {}
    return {"Flight-Watermark": told["watermark"], "Flight-Age": str(told["age_s"])}


def _body(snapshot: Snapshot, z: int, x: int, y: int, suffix: Suffix) -> bytes:
    places = flights_of(snapshot, z, x, y)
    head = Head(
        time_ms=None,
        watermark_ms=None,
        partial=snapshot.answer.partial,
        missing=snapshot.answer.missing,
        truncated=len(places) > LIMIT,
    )
    return list_body(suffix.form, head, snapshot.rows(suffix.form, None, places[:LIMIT]))


def flights_of(snapshot: Snapshot, z: int, x: int, y: int) -> Array:
    """The places of the flights of a tile."""
    if z == 0:
        return np.arange(len(snapshot.positions))
    across, down = snapshot.once("mercator", lambda: _mercator(snapshot.frame))
    scale = 1 << z
    return np.flatnonzero((np.floor(across * scale) == x) & (np.floor(down * scale) == y))


def _mercator(frame: Frame) -> tuple[Array, Array]:
    """Where flights are on the world as one square: from the west and from the north, 0 included and 1 not."""
    almost_one = math.nextafter(1.0, 0.0)
    across = (frame.longitudes + 180) / 360 % 1.0  # 180 degrees east is 180 degrees west
    sines = np.sin(np.radians(np.clip(frame.latitudes, -89.9, 89.9)))
    down = 0.5 - np.arctanh(sines) / (2 * math.pi)
    return across, np.clip(down, 0.0, almost_one)
