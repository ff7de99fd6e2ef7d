"""The active API: who is in the air now, from the live store.

    GET /v1/live?bbox=..            flights in a box, or everywhere
    GET /v1/live/nearby?lat=..      flights around a point
    GET /v1/live/{flight_id}        one flight

What an answer looks like is in `live_answers.py`; what was, in `history.py`.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import Field

from flight_platform.kafka import now_ms
from flight_platform.live.client import LiveAnswer, LiveReader
from flight_platform.live.shards import parse_shards
from flight_platform.model import parse_flight_id
from flight_platform.settings import Settings
from serving.app import make_app
from serving.live_answers import (
    LIMIT,
    Filters,
    LiveFlight,
    LiveList,
    NearbyList,
    distance_nm,
    list_body,
    rows_of,
)
from serving.parameters import EXAMPLES, BoxText, FlightIdPath
from serving.problems import ProblemError, responses, unavailable
from serving.server import serve

# What a cache in front may do: the picture changes each second, so one answer a second serves a crowd.
_CACHE: Final = {"Cache-Control": "public, max-age=1"}
_DESCRIPTION: Final = "Who is in the air now: the newest position of every flight of the last minute."


class Reader(Protocol):
    """What this API asks of the live store; `LiveReader` is it, and tests bring their own."""

    async def all(self) -> LiveAnswer:
        """All flights."""
        ...

    async def within(self, bbox: tuple[float, float, float, float]) -> LiveAnswer:
        """The flights in a box: west, south, east, north."""
        ...

    async def nearby(self, latitude: float, longitude: float, radius_nm: float, limit: int) -> LiveAnswer:
        """The `limit` flights closest to a point."""
        ...

    async def get(self, flight_id: int) -> LiveAnswer:
        """One flight: zero or one position."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """The live store as the routes see it: its reader, and the `host:port` of each of its servers."""

    reader: Reader
    servers: frozenset[str]

    async def ask(self, question: Awaitable[LiveAnswer]) -> LiveAnswer:
        """The answer; a 503 where no server gave one, since an empty sky because nobody answered is an error."""
        answer = await question
        if not answer.positions and self.servers <= set(answer.missing):
            raise unavailable(f"the live store does not answer; missing: {', '.join(answer.missing)}")
        return answer


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


_Store = Annotated[Store, Depends(_store)]


class BoxQuery(Filters):
    """Parameters of `/v1/live`."""

    bbox: BoxText | None = Field(
        None, description="west,south,east,north in degrees; west > east crosses the antimeridian; absent: everywhere"
    )


class NearbyQuery(Filters):
    """Parameters of `/v1/live/nearby`."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, description="degrees north", examples=[EXAMPLES["lat"]])
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, description="degrees east", examples=[EXAMPLES["lon"]])
    radius_nm: float = Field(
        gt=0, le=10_900, allow_inf_nan=False, description="nautical miles", examples=[EXAMPLES["radius_nm"]]
    )


routes = APIRouter(tags=["live"])


@routes.get(
    "/v1/live",
    summary="Flights in a box, or everywhere",
    response_model=LiveList,
    responses=responses(422, 503),
)
async def live(query: Annotated[BoxQuery, Query()], store: _Store) -> Response:
    """The newest position of each flight. A flight that does not tell what a filter asks about does not match."""
    reader = store.reader
    answer = await store.ask(reader.all() if query.bbox is None else reader.within(query.bbox.edges))
    found = [p for p in answer.positions if query.matches(p)] if query.select else answer.positions
    return _answer(answer, rows_of(found[: query.limit]), truncated=len(found) > query.limit)


@routes.get(
    "/v1/live/nearby",
    summary="Flights around a point, the nearest first",
    response_model=NearbyList,
    responses=responses(422, 503),
)
async def nearby(query: Annotated[NearbyQuery, Query()], store: _Store) -> Response:
    """The newest position of each flight within a radius, with its distance from the point."""
    # One more than asked for tells whether there are more; a filter may drop any, so it sees all that there are.
    wanted = LIMIT + 1 if query.select else query.limit + 1
    answer = await store.ask(store.reader.nearby(query.lat, query.lon, query.radius_nm, wanted))
    found = sorted(
        ((distance_nm(query.lat, query.lon, p), p) for p in answer.positions if query.matches(p)),
        key=lambda pair: pair[0],
    )
    kept = found[: query.limit]
    rows = rows_of(position for _, position in kept)
    placed = [f'{row[:-1]},"distance_nm":{away:.2f}}}' for (away, _), row in zip(kept, rows, strict=True)]
    return _answer(answer, placed, truncated=len(found) > query.limit)


@routes.get(
    "/v1/live/{flight_id}",
    summary="One flight",
    response_model=LiveFlight,
    responses=responses(404, 422, 503),
)
async def live_flight(flight_id: FlightIdPath, store: _Store) -> Response:
    """The newest position of a flight; 404 where it has none within the live window."""
    answer = await store.ask(store.reader.get(parse_flight_id(flight_id)))
    if answer.positions:
        return Response(rows_of(answer.positions)[0], headers=_CACHE, media_type="application/json")
    if answer.partial:  # it may be where we cannot look: that is no 404
        raise unavailable(f"whether {flight_id} is live cannot be told now; missing: {', '.join(answer.missing)}")
    raise ProblemError(404, "not-live", f"{flight_id} has no position within the live window; history may have it")


def _answer(answer: LiveAnswer, rows: list[str], *, truncated: bool) -> Response:
    body = list_body(answer, rows, truncated=truncated, now_ms=now_ms())
    return Response(body, headers=_CACHE, media_type="application/json")


def make_active(settings: Settings, reader: Reader | None = None) -> FastAPI:
    """The active API over the live servers of the settings, or over a reader of the caller's."""
    servers = frozenset(shard.label for shard in parse_shards(settings.tile38_urls))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if reader is not None:
            yield
            return
        own = LiveReader(settings)
        app.state.store = Store(own, servers)
        try:
            yield
        finally:
            await own.close()

    async def ready() -> None:
        store: Store = app.state.store
        await store.ask(store.reader.get(0))  # nobody's flight: whether somebody answers is all that counts

    app = make_app("Active API", _DESCRIPTION, routes, lifespan=lifespan, ready=ready)
    if reader is not None:
        app.state.store = Store(reader, servers)
    return app


def run_active(settings: Settings) -> None:
    """Serves the active API on loopback until SIGTERM or Ctrl-C."""
    serve(make_active(settings), settings, name="active", port=settings.active_port)
