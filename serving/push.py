"""Aircraft pushed as they move, over HTTP: server-sent events and WebSocket.

    GET /v1/live/events?bbox=..     text/event-stream, resumed by `Last-Event-ID` as every EventSource does
    WS  /v1/live/ws?bbox=..         the same events as JSON messages; a message `{"bbox": ".."}` looks elsewhere

Both take the filters of `/v1/live`: a flight that begins to match enters, one that ceases leaves.

Events: `reset` (what was told before is void), `enter` and `move` (flights), `leave` (flight ids), and each second
`status`, which tells how old the picture is and carries the id to resume from. `reconnect` says that this process ends.
What changes for whom is in `watching.py`, gRPC in `rpc.py`.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from pydantic import Field, ValidationError
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.types import Receive, Scope, Send

from flight_platform.model import format_flight_id
from serving.live_answers import FieldsText
from serving.live_formats import Format
from serving.live_store import LiveStore
from serving.parameters import BoxText
from serving.problems import responses, unavailable
from serving.selection import Selection, View, field
from serving.snapshot import Snapshots
from serving.streamed import abort, drop, end
from serving.watching import MOST_CLIENTS, PATIENCE_S, Clients, Update, count_dropped, updates

_RESTARTS: Final = 1012  # WebSocket: the service restarts, connect again (RFC 6455's registry)
_BAD_DATA: Final = 1007
_TRY_LATER: Final = 1013
_RETRY_MS: Final = (200, 3_000)  # all clients of a process that ends must not come back at once

# Streams end by themselves where the process does, with a word to their clients; the library would cut them.
AppStatus.enable_automatic_graceful_drain = False


class WatchQuery(Selection):
    """Parameters of both streams."""

    bbox: BoxText | None = Field(None, description="west,south,east,north in degrees; absent: everywhere")
    fields: FieldsText | None = field("fields", "only these fields, and flight_id")
    last_event_id: str | None = field(
        "last_event_id", "as the header `Last-Event-ID`, for clients that cannot set it", max_length=40
    )

    @property
    def view(self) -> View:
        """What is watched."""
        return View(self.bbox, self.selection if self.select else None)

    @property
    def names(self) -> tuple[str, ...] | None:
        return None if self.fields is None else self.fields.names


Event = tuple[str, bytes, str | None]
"""A name, the members of its JSON object, and the id where there is one."""


def events_of(update: Update, names: tuple[str, ...] | None) -> Iterator[Event]:
    """The events of an update; the last one carries its id."""
    if update.reset:
        yield "reset", b"", None
    for name, places in (("enter", update.enter), ("move", update.move)):
        if len(places):
            rows = update.snapshot.rows(Format.JSON, names, places)
            yield name, b'"flights":[%b]' % b",".join(rows), None
    if update.leave:
        yield "leave", _members({"flight_ids": [format_flight_id(flight) for flight in update.leave]}), None
    yield "status", update.snapshot.once("status", lambda: _members(update.snapshot.head().freshness())), update.id


def _members(values: dict[str, Any]) -> bytes:
    return json.dumps(values)[1:-1].encode()


def as_text(events: Iterable[Event]) -> bytes:
    """Events as `text/event-stream` has them."""
    parts = []
    for name, members, id_ in events:
        if id_ is not None:
            parts.append(b"id: %b\n" % id_.encode())
        parts.append(b"event: %b\ndata: {%b}\n\n" % (name.encode(), members))
    return b"".join(parts)


def as_messages(events: Iterable[Event]) -> list[str]:
    """Events as messages: JSON objects that have the name in `event`, and the id in `id`."""
    messages = []
    for name, members, id_ in events:
        head = _members({"event": name} if id_ is None else {"event": name, "id": id_})
        messages.append((b"{%b}" % b",".join(filter(None, (head, members)))).decode())
    return messages


class EventStream(EventSourceResponse):
    """The events of one watcher, until it leaves, takes nothing for too long, or this process ends."""

    def __init__(
        self,
        snapshots: Snapshots,
        clients: Clients,
        view: View,
        names: tuple[str, ...] | None,
        last_id: str | None,
    ) -> None:
        # No pings: there is a status each second.
        super().__init__(_texts(snapshots, view, names, last_id), ping=0, send_timeout=PATIENCE_S)
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One more client, for as long as it lasts."""
        with self._clients.counted("sse"):
            try:
                await super().__call__(scope, receive, send)
            except TimeoutError:
                await drop(scope, receive)


async def _texts(
    snapshots: Snapshots, view: View, names: tuple[str, ...] | None, last_id: str | None
) -> AsyncIterator[bytes]:
    """What is sent to a watcher: the text of an update is made once for all who are told the same."""
    yield b"retry: %d\n\n" % random.randint(*_RETRY_MS)  # noqa: S311  # spreads, hides nothing
    async for update in updates(snapshots, view, last_id):
        yield update.once(("sse", names), partial(_text, update, names))
    yield b"event: reconnect\ndata: {}\n\n"


def _text(update: Update, names: tuple[str, ...] | None) -> bytes:
    return as_text(events_of(update, names))


async def clients_of(connection: HTTPConnection) -> Clients:
    """The streams of this process."""
    clients: Clients = connection.app.state.clients
    return clients


_Clients = Annotated[Clients, Depends(clients_of)]

routes = APIRouter(tags=["live"])

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events until either side ends it: reset, enter, move, leave, status, reconnect",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@routes.get(
    "/v1/live/events",
    summary="Flights as they move: server-sent events",
    response_class=Response,
    responses={**_EVENTS, **responses(422, 503)},
)
async def events(
    query: Annotated[WatchQuery, Query()],
    store: LiveStore,
    clients: _Clients,
    last_event_id: Annotated[str | None, Header(max_length=40, description="`id` of the last event that came")] = None,
) -> Response:
    """What comes into a box and the filters, moves in them and leaves them, once a second.

    With an id, only what has changed since.
    """
    if clients.full:
        count_dropped("full")
        raise unavailable(f"this process has {MOST_CLIENTS} streams already", "too-many-streams")
    return EventStream(store.snapshots, clients, query.view, query.names, last_event_id or query.last_event_id)


@routes.websocket("/v1/live/ws")
async def socket(websocket: WebSocket, store: LiveStore, clients: _Clients) -> None:
    """The same events as JSON messages."""
    await websocket.accept()
    if clients.full:
        count_dropped("full")
        await websocket.close(_TRY_LATER, "too many streams")
        return
    with clients.counted("websocket"), suppress(WebSocketDisconnect):
        await _Session(websocket, store.snapshots, dict(websocket.query_params)).run()


class _Session:
    """One WebSocket: pushes, and meanwhile listens for what to watch instead.

    `asked` are the parameters as the client wrote them; a message changes those that it names.
    """

    def __init__(self, websocket: WebSocket, snapshots: Snapshots, asked: dict[str, Any]) -> None:
        self._websocket, self._snapshots, self._asked = websocket, snapshots, asked

    async def run(self) -> None:
        """Until the client leaves, says what we do not understand, takes nothing, or this process ends."""
        pushing = asyncio.create_task(self._push(self._asked))
        hearing = asyncio.create_task(_hear(self._websocket))
        try:
            while True:
                await asyncio.wait({pushing, hearing}, return_when=asyncio.FIRST_COMPLETED)
                if pushing.done():
                    pushing.result()
                    return
                self._asked = _changed(self._asked, hearing.result())
                await end(pushing)
                pushing = asyncio.create_task(self._push(self._asked))
                hearing = asyncio.create_task(_hear(self._websocket))
        except TimeoutError:
            count_dropped("slow")
            abort(self._websocket.scope)
        except ValidationError as error:
            await _refuse(self._websocket, told(error))
        except ValueError as error:
            await _refuse(self._websocket, str(error))
        finally:
            await end(pushing, hearing)

    async def _push(self, asked: dict[str, Any]) -> None:
        query = WatchQuery.model_validate(asked)
        async for update in updates(self._snapshots, query.view, query.last_event_id):
            for message in as_messages(events_of(update, query.names)):
                async with asyncio.timeout(PATIENCE_S):
                    await self._websocket.send_text(message)
        await self._websocket.send_json({"event": "reconnect"})
        await self._websocket.close(_RESTARTS)


async def _hear(websocket: WebSocket) -> str:
    """The next message; raises ValueError where it is no text."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    text: str | None = message.get("text")
    if text is None:
        raise ValueError("a message here is text, and this was binary")
    return text


def _changed(asked: dict[str, Any], message: str) -> dict[str, Any]:
    """The parameters after a client's message: those that it names have its values, null is as if never asked."""
    changes = json.loads(message)
    if not isinstance(changes, dict) or "last_event_id" in changes:
        raise ValueError('a message here is an object of parameters, as {"bbox": "west,south,east,north"}')
    return {name: value for name, value in (asked | changes | {"last_event_id": None}).items() if value is not None}


def told(error: ValidationError) -> str:
    """The first thing that is wrong, with its name."""
    first = error.errors()[0]
    return f"{first['loc'][-1]}: {first['msg'].removeprefix('Value error, ')}"


async def _refuse(websocket: WebSocket, reason: str) -> None:
    await websocket.close(_BAD_DATA, reason.encode()[:120].decode("utf-8", "ignore"))
