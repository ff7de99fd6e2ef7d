"""The history API: which flights there were, and where they were.

    GET /v1/flights?from=..&to=..               flights within a window of time, a page at a time
    GET /v1/aircraft/{icao24}/flights           flights of one aircraft
    GET /v1/flights/{flight_id}                 one flight with its figures
    GET /v1/flights/{flight_id}/track           its positions
    GET /v1/flights/{flight_id}/altitude-band   how it was between two altitudes
    GET /v1/positions?time=..                   the sky at an instant
    GET /v1/positions?from=..&to=..&step_s=..   its replay, frame by frame
    GET /v1/gaps?from=..&to=..                  stretches without data

What can be asked is in `history_questions.py`, what an answer looks like in `history_answers.py`, the store in
`history_store.py`; what is now, in `active.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.staticfiles import StaticFiles

from flight_platform.history.queries import Portions
from flight_platform.history.table import Row
from flight_platform.model import parse_flight_id
from flight_platform.settings import Settings
from serving import opensky_flights
from serving.app import make_app
from serving.audited import audited
from serving.health import check_fresh
from serving.history_answers import (
    LISTS,
    NDJSON,
    TRACKS,
    AltitudeBand,
    Cursor,
    FlightFigures,
    FlightList,
    Format,
    GapList,
    Instant,
    JsonWriter,
    Track,
)
from serving.history_questions import (
    ALL_AIRCRAFT,
    LARGEST_PAGE,
    ONE_AIRCRAFT,
    BandQuery,
    FlightsQuery,
    GapsQuery,
    SkyQuery,
    TrackQuery,
    WindowQuery,
)
from serving.history_store import History, HistoryStore, PostgresHistory, gathered
from serving.operations import Operation
from serving.parameters import EXAMPLES, FlightIdPath, Icao24Path
from serving.problems import ProblemError, invalid, responses
from serving.replay import Replay
from serving.rows import dumps, objects
from serving.server import serve
from serving.simplify import simplified
from serving.streamed import LongAnswer

_DESCRIPTION: Final = "Which flights there were and where they were: everything the platform has recorded."
_JSON: Final = "application/json"
_GRACE_S: Final = 45  # exports that are being sent come to their end, if it is near
_KEPT: Final = {"Cache-Control": "public, max-age=60"}  # what was, stays: but late reports may still come for a day

Clock = Callable[[], datetime]


async def _now(request: Request) -> datetime:  # async: FastAPI would take a thread for each plain one
    now: datetime = request.app.state.clock()
    return now


_Now = Annotated[datetime, Depends(_now)]


def _written(forms: Mapping[str, Format]) -> dict[int | str, dict[str, Any]]:
    """What a 200 may be beside our JSON."""
    media_types = sorted({form.media_type for form in forms.values()} - {_JSON})
    kinds = {media_type: "object" if media_type.endswith("+json") else "string" for media_type in media_types}
    return {200: {"content": {media_type: {"schema": {"type": kind}} for media_type, kind in kinds.items()}}}


routes = APIRouter(tags=["history"], route_class=Operation)


@routes.get(
    "/v1/flights",
    summary="Flights within a window of time",
    response_model=FlightList,
    responses={**_written(LISTS), **responses(422, 503)},
)
async def flights(
    request: Request, query: Annotated[FlightsQuery, Query()], store: HistoryStore, now: _Now
) -> Response:
    """A page of flights, the newest first. Without from and to: the last hour. At most 24 hours at once; 31 days of one
    aircraft, by its address or registration.
    """
    usual, longest = ALL_AIRCRAFT
    start, end = query.window(now, usual, ONE_AIRCRAFT[1] if query.icao24 or query.registration else longest)
    filters = query.model_dump(include={"icao24", "callsign", "registration", "departure_airport", "arrival_airport"})
    if query.format == "json":
        return await _page(store, query, start, end, **filters, bbox=query.bbox)
    if "limit" in query.model_fields_set:
        raise invalid("limit", f"{query.format} has no pages: it is all that there are")
    after = query.cursor.after if query.cursor else None
    pages = _pages(store, after, from_time=start, to_time=end, **filters, bbox=query.bbox)
    if query.format == "csv":
        pages = await audited(request, store, pages, query.format)
    return await _long(pages, LISTS[query.format])


async def _pages(store: History, after: str | None, **question: Any) -> Portions:
    """All flights, page by page, as a client would ask for them: between two pages nothing is held in the store."""
    while rows := await store.flights(limit=LARGEST_PAGE, after=after, **question):
        yield rows
        if len(rows) < LARGEST_PAGE:
            return
        after = rows[-1]["flight_id"]


async def _long(portions: Portions, form: Format, flight_id: str = "") -> LongAnswer:
    first: Sequence[Row] = await anext(portions, [])
    return LongAnswer(first, portions, form.writer(flight_id), form.media_type)


@routes.get(
    "/v1/aircraft/{icao24}/flights",
    summary="Flights of one aircraft",
    response_model=FlightList,
    responses=responses(422, 503),
)
async def aircraft_flights(
    icao24: Icao24Path, query: Annotated[WindowQuery, Query()], store: HistoryStore, now: _Now
) -> Response:
    """A page of flights, the newest first. Without from and to: the last seven days. At most 31 days at once."""
    start, end = query.window(now, *ONE_AIRCRAFT)
    return await _page(store, query, start, end, icao24=icao24)


async def _page(store: History, query: WindowQuery, start: datetime, end: datetime, **filters: Any) -> Response:
    after = query.cursor.after if query.cursor else None
    # One more than asked for tells whether there is a next page.
    rows = await store.flights(from_time=start, to_time=end, limit=query.limit + 1, after=after, **filters)
    page = rows[: query.limit]
    more = len(rows) > query.limit
    following = Cursor(start, end, page[-1]["flight_id"]).text() if more else None
    head = dumps({"from": start, "to": end, "count": len(page), "next": following})
    body = b'%b,"flights":[%b]}' % (head[:-1], ",".join(objects(page)).encode())
    return Response(body, media_type=_JSON)


@routes.get(
    "/v1/flights/{flight_id}", summary="One flight", response_model=FlightFigures, responses=responses(404, 422, 503)
)
async def flight(flight_id: FlightIdPath, store: HistoryStore) -> Response:
    """A flight with its figures: average ground speed, maximum altitude, distance, duration."""
    row = await store.flight(parse_flight_id(flight_id))
    if row is None:
        raise _no_such_flight(flight_id)
    return Response(dumps(row), media_type=_JSON)


@routes.get(
    "/v1/flights/{flight_id}/track",
    summary="The positions of a flight",
    response_model=Track,
    responses={**_written(TRACKS), **responses(400, 404, 422, 503)},
)
async def track(
    request: Request, flight_id: FlightIdPath, query: Annotated[TrackQuery, Query()], store: HistoryStore
) -> Response:
    """All positions in order of time, or those that are enough for a stated error."""
    chosen = TRACKS.get(query.format.lower())
    if chosen is None:
        detail = f"format: {query.format[:80]!r} is not available; available are {', '.join(TRACKS)}"
        error = {"field": "format", "message": f"available are {', '.join(TRACKS)}", "example": EXAMPLES["format"]}
        raise ProblemError(400, "format-not-available", detail, errors=[error])
    portions = store.track(parse_flight_id(flight_id))
    if query.error_m is not None:
        portions = _fewer(portions, query.error_m, query.error_ft)
    if chosen not in (TRACKS["json"], NDJSON):
        portions = await audited(request, store, portions, query.format.lower())
    answer = await _long(portions, chosen, flight_id)
    if answer.empty:
        raise _no_such_flight(flight_id)
    return answer


async def _fewer(portions: Portions, error_m: float, error_ft: float) -> Portions:
    """The points that are enough: which they are, only the whole flight tells."""
    rows = await gathered(portions)
    yield await asyncio.to_thread(simplified, rows, error_m, error_ft)


@routes.get(
    "/v1/flights/{flight_id}/altitude-band",
    summary="How a flight was between two altitudes",
    response_model=AltitudeBand,
    responses=responses(404, 422, 503),
)
async def altitude_band(flight_id: FlightIdPath, query: Annotated[BandQuery, Query()], store: HistoryStore) -> Response:
    """How long and how often a flight was between two barometric altitudes, both included."""
    row = await store.altitude_band(parse_flight_id(flight_id), query.low_ft, query.high_ft)
    if row is None:
        raise _no_such_flight(flight_id)
    return Response(dumps(row), media_type=_JSON)


@routes.get(
    "/v1/positions",
    summary="The sky at an instant, and its replay",
    response_model=Instant,
    responses={**_written({"ndjson": NDJSON}), **responses(422, 503)},
)
async def positions(query: Annotated[SkyQuery, Query()], store: HistoryStore) -> Response:
    """Of each flight the newest position of the minute up to that time.

    With from and to instead of time it is a replay: such a sky at from and at each step after it, one a line (NDJSON).
    """
    if query.time is None:
        return await _replay(query, store)
    if query.from_time is not None or query.to_time is not None:
        raise invalid("time", "either time, or from and to")
    portions = store.instant(time=query.time, bbox=query.bbox, limit=query.limit + 1)
    writer = JsonWriter("positions", query.limit, time=query.time)
    return LongAnswer(await anext(portions, []), portions, writer, _JSON, _KEPT)


async def _replay(query: SkyQuery, store: History) -> Response:
    if query.from_time is None or query.to_time is None:
        raise invalid("time" if query.to_time is None else "from", "either time, or both from and to")
    step = timedelta(seconds=query.step_s)
    replay = Replay(query.from_time, query.to_time, step, query.limit)
    replay.check()
    portions = store.replay(from_time=query.from_time, to_time=query.to_time, step=step, bbox=query.bbox)
    first: list[Row] = []
    async for rows in portions:
        first += rows
        if first[-1]["frame"] > 0:  # now all of the first frame is there
            break
    try:
        replay.check_size(sum(row["frame"] == 0 for row in first))
    except ProblemError:
        await portions.aclose()
        raise
    return LongAnswer(first, portions, replay, NDJSON.media_type, _KEPT)


@routes.get("/v1/gaps", summary="Stretches without data", response_model=GapList, responses=responses(422, 503))
async def gaps(query: Annotated[GapsQuery, Query()], store: HistoryStore, now: _Now) -> Response:
    """Where data are missing for good, and where a backfill has brought them after all; the newest first."""
    end = query.to_time or now
    start = query.from_time or end - timedelta(days=1)
    if start >= end:
        raise invalid("from", f"the window would start at or after its end, {end:%Y-%m-%dT%H:%M:%SZ}")
    found = await store.gaps(start, end)
    return Response(dumps({"from": start, "to": end, "count": len(found), "gaps": list(found)}), media_type=_JSON)


def _no_such_flight(flight_id: str) -> ProblemError:
    return ProblemError(404, "no-such-flight", f"history has no flight {flight_id}; /v1/flights lists those there are")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class _Pages(StaticFiles):
    """Files of a folder; while there is no folder yet, there is no file, and that is no defect of the server."""

    async def check_config(self) -> None:
        """Nothing to complain of."""


def make_history(settings: Settings, store: History | None = None, clock: Clock = _wall_clock) -> FastAPI:
    """The history API over the Postgres of the settings, or over a store of the caller's."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if store is not None:
            yield
            return
        own = PostgresHistory(settings)
        await own.open()
        app.state.store = own
        try:
            yield
        finally:
            await own.close()

    async def ready() -> None:
        opened: History = app.state.store
        check_fresh(await opened.age_s(), settings.live_window_s, "history")

    every = (routes, opensky_flights.routes)
    app = make_app("History API", _DESCRIPTION, every, lifespan=lifespan, ready=ready)
    app.state.clock = clock
    if store is not None:
        app.state.store = store
    # Data Docs of the checks, where this machine has them (checks/data_docs.py): pages that ask for nothing else.
    app.mount("/quality", _Pages(directory=settings.var / "quality", html=True, check_dir=False))
    return app


def run_history(settings: Settings) -> None:
    """Serves the history API on loopback until SIGTERM or Ctrl-C."""
    serve(make_history(settings), settings, name="history", port=settings.history_port, grace_s=_GRACE_S)
