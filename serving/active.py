"""The active API: who is in the air now, from the live store.

    GET /v1/live                    flights everywhere, or in a box
    GET /v1/live/nearby?lat=..      flights around a point
    GET /v1/live/{flight_id}        one flight
    GET /v1/live/tiles/..           `tiles.py`
    GET /v1/live/events, ws         `push.py`, and gRPC beside them: `rpc.py`

A box, a point and one flight are asked of the store itself; the whole world is the snapshot that everybody shares. What
answers are made of is in `live_answers.py`, how they are written in `live_formats.py`; what was, in `history.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from flight_platform.collector import collecting_seldom
from flight_platform.kafka import now_ms
from flight_platform.live.client import LiveAnswer, LiveReader
from flight_platform.live.shards import parse_shards
from flight_platform.model import Position, parse_flight_id
from flight_platform.settings import Settings
from serving import aircraft_json, opensky_states, push, tiles
from serving.app import make_app
from serving.frame import Frame
from serving.health import check_fresh
from serving.live_answers import (
    LIMIT,
    Filters,
    FlightCursor,
    LiveFeature,
    LiveFeatures,
    LiveList,
    NearbyList,
    Place,
    PlaceCursor,
    Shown,
    ShownFlight,
    page,
)
from serving.live_formats import Format, Head, accepted, list_body, one_body, shared_row
from serving.live_store import LiveStore, Reader, Store
from serving.operations import Operation
from serving.parameters import EXAMPLES, BoxText, FlightIdPath
from serving.problems import ProblemError, responses, unavailable
from serving.rendered import CACHE, rendered_once
from serving.rpc import rpc_server
from serving.server import listen, serve
from serving.tiles import HEADERS, NOT_MODIFIED, binary, freshness
from serving.watching import Clients
from serving.web import serve_map

_DESCRIPTION: Final = "Who is in the air now: the newest position of every flight of the last minute."
_FAREWELL_S: Final = 2.0  # in which streams that can be written to are told where to go, before connections close
_EVERY: Final = 100_000  # of the nearest: behind a cursor, those before it come along


class BoxQuery(Filters):
    """Parameters of `/v1/live`."""

    bbox: BoxText | None = Field(
        None, description="west,south,east,north in degrees; west > east crosses the antimeridian; absent: everywhere"
    )
    cursor: FlightCursor | None = Field(
        None, description="`next` of the page before; the filters must be the same", examples=[EXAMPLES["flight_id"]]
    )

    @property
    def whole(self) -> bool:
        """Whether it asks for what everybody gets who asks for nothing in particular."""
        return not self.model_fields_set - {"format"}


class NearbyQuery(Filters):
    """Parameters of `/v1/live/nearby`."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, description="degrees north", examples=[EXAMPLES["lat"]])
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, description="degrees east", examples=[EXAMPLES["lon"]])
    radius_nm: float = Field(
        gt=0, le=10_900, allow_inf_nan=False, description="nautical miles", examples=[EXAMPLES["radius_nm"]]
    )
    cursor: PlaceCursor | None = Field(
        None,
        description="`next` of the page before; the filters must be the same",
        examples=[f"12.5_{EXAMPLES['flight_id']}"],
    )


def _good(geojson: type[BaseModel], message: str) -> dict[int | str, dict[str, Any]]:
    """What a 200 may be beside JSON."""
    feature = {"schema": {"$ref": f"#/components/schemas/{geojson.__name__}"}}
    content = {Format.GEOJSON.media_type: feature, Format.PROTOBUF.media_type: binary(message)}
    return {200: {"headers": HEADERS, "content": content}}


routes = APIRouter(tags=["live"], route_class=Operation)


@routes.get(
    "/v1/live",
    summary="Flights in a box, or everywhere",
    response_model=LiveList,
    responses={**_good(LiveFeatures, "flight.v1.LiveList"), **NOT_MODIFIED, **responses(422, 503)},
)
async def live(request: Request, query: Annotated[BoxQuery, Query()], store: LiveStore) -> Response:
    """The newest position of each flight. A flight that does not tell what a filter asks about does not match.

    A box is answered by the store as it is now; without one, the answer is at most a second old.
    """
    form = _form(request, query)
    if query.bbox is not None:
        answer = await store.ask(store.reader.within(query.bbox.edges))
        time_ms = now_ms()
        return _page(answer, _chosen(query, answer.positions, time_ms), time_ms, form, query)
    snapshot = await store.world()
    if not query.whole:
        chosen = query.chosen(snapshot.positions, snapshot.frame) if query.select else snapshot.positions
        return _page(snapshot.answer, chosen, snapshot.time_ms, form, query)

    def whole() -> bytes:
        positions, following = page(snapshot.positions, LIMIT, None)
        head = Head.of(snapshot.answer, snapshot.time_ms, truncated=following is not None, following=following)
        return list_body(form, head, snapshot.rows(form, None, range(len(positions))))

    rendered = await rendered_once(snapshot, ("world", form), whole)
    return rendered.answer(request, form.media_type, {"Vary": "Accept, Accept-Encoding", **freshness(snapshot.head())})


def _chosen(query: Filters, positions: list[Position], time_ms: int) -> list[Position]:
    return query.chosen(positions, Frame.of(positions, time_ms)) if query.select else positions


def _page(answer: LiveAnswer, positions: list[Position], time_ms: int, form: Format, query: BoxQuery) -> Response:
    after = None if query.cursor is None else parse_flight_id(query.cursor)
    kept, following = page(positions, query.limit, after)
    head = Head.of(answer, time_ms, truncated=following is not None, following=following)
    return _list(form, head, kept, query)


@routes.get(
    "/v1/live/nearby",
    summary="Flights around a point, the nearest first",
    response_model=NearbyList,
    responses={**_good(LiveFeatures, "flight.v1.LiveList"), **responses(422, 503)},
)
async def nearby(request: Request, query: Annotated[NearbyQuery, Query()], store: LiveStore) -> Response:
    """The newest position of each flight within a radius, with its distance from the point."""
    # One more than asked for tells whether there are more; a filter may drop any, so it sees all that there are.
    wanted = _EVERY if query.select or query.cursor else query.limit + 1
    answer = await store.ask(store.reader.nearby(query.lat, query.lon, query.radius_nm, wanted))
    time_ms = now_ms()
    around = ((Place.of(query.lat, query.lon, p), p) for p in _chosen(query, answer.positions, time_ms))
    placed = sorted(around, key=lambda pair: pair[0])
    rest = [(place, p) for place, p in placed if query.cursor is None or place > query.cursor]
    kept = rest[: query.limit]
    following = str(kept[-1][0]) if len(rest) > query.limit else None
    head = Head.of(answer, time_ms, truncated=following is not None, following=following)
    return _list(_form(request, query), head, [p for _, p in kept], query, [place.distance_nm for place, _ in kept])


def _list(
    form: Format,
    head: Head,
    positions: Sequence[Position],
    query: Filters,
    distances_nm: Sequence[float] | None = None,
) -> Response:
    body = list_body(form, head, [shared_row(form, query.names, p) for p in positions], distances_nm)
    return _answer(form, body, head)


@routes.get(
    "/v1/live/{flight_id}",
    summary="One flight",
    response_model=ShownFlight,
    responses={**_good(LiveFeature, "flight.v1.Position"), **responses(404, 422, 503)},
)
async def live_flight(
    request: Request, flight_id: FlightIdPath, query: Annotated[Shown, Query()], store: LiveStore
) -> Response:
    """The newest position of a flight; 404 where it has none within the live window."""
    answer = await store.ask(store.reader.get(parse_flight_id(flight_id)))
    if answer.positions:
        form = _form(request, query)
        return _answer(form, one_body(form, answer.positions[0], query.names), Head.of(answer, now_ms()))
    if answer.partial:  # it may be where we cannot look: that is no 404
        raise unavailable(f"whether {flight_id} is live cannot be told now; missing: {', '.join(answer.missing)}")
    raise ProblemError(404, "not-live", f"{flight_id} has no position within the live window; history may have it")


def _form(request: Request, query: Shown) -> Format:
    return query.format or accepted(request.headers.get("accept"))


def _answer(form: Format, body: bytes, head: Head) -> Response:
    return Response(body, headers={**CACHE, "Vary": "Accept", **freshness(head)}, media_type=form.media_type)


def make_active(settings: Settings, reader: Reader | None = None, *, grpc_port: int | None = None) -> FastAPI:
    """The active API over the live servers of the settings, or over a reader of the caller's.

    gRPC is served beside it where a port for it is given.
    """
    servers = frozenset(shard.label for shard in parse_shards(settings.tile38_urls))
    clients = Clients()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if reader is None:
                own = LiveReader(settings)
                stack.push_async_callback(own.close)
                _attach(app, Store(own, servers), clients)
            store: Store = app.state.store
            if grpc_port is not None:
                await stack.enter_async_context(rpc_server(settings, grpc_port, store.snapshots, clients))
            reading = asyncio.create_task(store.snapshots.run())
            try:
                yield
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def ready() -> None:
        store: Store = app.state.store
        answer = await store.ask(store.reader.get(0))  # nobody's flight
        age_s = None if answer.watermark_ms is None else (now_ms() - answer.watermark_ms) / 1000
        check_fresh(age_s, settings.live_window_s, "live", answer.missing)

    shapes = (LiveFeature, LiveFeatures)
    app = make_app("Active API", _DESCRIPTION, _ROUTES, lifespan=lifespan, ready=ready, shapes=shapes)
    if reader is not None:
        _attach(app, Store(reader, servers), clients)
    serve_map(app, own_port=settings.active_port, history_port=settings.history_port)
    return app


# Looked through in this order: ours behind the streams, whose names `{flight_id}` would take, and before all others.
_ROUTES: Final = (push.routes, routes, tiles.routes, opensky_states.routes, aircraft_json.routes)


def _attach(app: FastAPI, store: Store, clients: Clients) -> None:
    async def drain() -> None:
        await store.snapshots.drain()
        await clients.left(_FAREWELL_S)

    app.state.store, app.state.clients, app.state.drain = store, clients, drain


def run_active(settings: Settings) -> None:
    """Serves the active API until SIGTERM or Ctrl-C."""
    if settings.grpc_port is not None:
        listen(settings.listen_host, settings.grpc_port, "FLIGHT_GRPC_PORT").close()  # a taken port is one sentence
    app = make_active(settings, grpc_port=settings.grpc_port)
    with collecting_seldom():
        serve(app, settings, name="active", port=settings.active_port)
