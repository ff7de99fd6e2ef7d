"""Aircraft pushed as they move, over gRPC: `flight.v1.LiveService/Watch`, in the event loop of the active API.

The same updates as those of `push.py`, a message each. A message is put together from the bytes of its flights, which
are made once a second for all; so requests are decoded here and answers are bytes already.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import Message
from pydantic import ValidationError

from flight_platform.model import Kind
from flight_platform.settings import Settings
from protos.flight.v1 import api_pb2
from serving.live_answers import Fields
from serving.live_formats import Format, wire_field
from serving.parameters import parse_box
from serving.push import told
from serving.selection import Selection, View
from serving.snapshot import Snapshots
from serving.watching import PATIENCE_S, Clients, Update, count_dropped, updates

log = structlog.get_logger()

SERVICE: Final = "flight.v1.LiveService"
GRACE_S: Final = 5.0
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second process at our port is an error, not a rival
    ("grpc.max_receive_message_length", 10_000),
    ("grpc.keepalive_time_ms", 30_000),  # finds clients that are gone without a word
    ("grpc.max_connection_age_ms", 600_000),  # then a client connects and resumes, perhaps elsewhere
    ("grpc.max_connection_age_grace_ms", 10_000),
)


@asynccontextmanager
async def rpc_server(settings: Settings, port: int, snapshots: Snapshots, clients: Clients) -> AsyncIterator[None]:
    """The service at that port, for as long as this lasts."""
    server = grpc.aio.server(options=_OPTIONS)
    watch = grpc.unary_stream_rpc_method_handler(
        partial(_watch, snapshots, clients), request_deserializer=api_pb2.WatchRequest.FromString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Watch": watch}),))
    server.add_insecure_port(f"{settings.listen_host}:{port}")
    await server.start()
    log.info("started_grpc", service=SERVICE, address=f"{settings.listen_host}:{port}")
    try:
        yield
    finally:
        await server.stop(GRACE_S)


async def _watch(
    snapshots: Snapshots, clients: Clients, request: api_pb2.WatchRequest, context: "grpc.aio.ServicerContext[Any, Any]"
) -> None:
    try:
        view, fields = _view(request), _fields(request)
    except ValidationError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, told(error))
    except ValueError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    if clients.full:
        count_dropped("full")
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "this process has as many streams as it can")
    last_id = request.last_event_id if request.HasField("last_event_id") else None
    farewell = grpc.StatusCode.UNAVAILABLE, "this process ends; watch again with the id of the last update"
    with clients.counted("grpc"):
        try:
            async for update in updates(snapshots, view, last_id):
                async with asyncio.timeout(PATIENCE_S):
                    await context.write(update.once(("grpc", fields), partial(message_of, update, fields)))
        except TimeoutError:
            count_dropped("slow")
            farewell = grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was taken for {PATIENCE_S:g} s"
    await context.abort(*farewell)  # to one that takes nothing it is told when its connection ends: see _OPTIONS


def _view(request: api_pb2.WatchRequest) -> View:
    box, filters = None, {name: getattr(request, name) for name in Selection.model_fields if request.HasField(name)}
    if request.HasField("bbox"):
        edges = request.bbox
        box = parse_box(f"{edges.west!r},{edges.south!r},{edges.east!r},{edges.north!r}")
    if "kind" in filters:
        filters["kind"] = Kind(request.kind).label
    return View(box, Selection.model_validate(filters) if filters else None)


def _fields(request: api_pb2.WatchRequest) -> tuple[str, ...] | None:
    return Fields.parse(",".join(request.fields)).names if request.fields else None


def message_of(update: Update, names: tuple[str, ...] | None) -> bytes:
    """The bytes of the `WatchUpdate` of an update."""
    snapshot = update.snapshot
    head = snapshot.head()
    about: Message = api_pb2.WatchUpdate(
        id=update.id,
        reset=update.reset,
        leave=update.leave,
        time=head.time_ms,
        watermark=head.watermark_ms,
        partial=head.partial,
        missing=head.missing,
    )
    flights = (
        wire_field(number, snapshot.rows(Format.PROTOBUF, names, places))
        for number, places in (
            (api_pb2.WatchUpdate.ENTER_FIELD_NUMBER, update.enter),
            (api_pb2.WatchUpdate.MOVE_FIELD_NUMBER, update.move),
        )
    )
    return b"".join(flights) + about.SerializeToString()
