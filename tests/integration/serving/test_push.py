"""Push over all three protocols: a process, a live server, real clients."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from flight_platform.codec import decode
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import now_ms
from flight_platform.model import Kind, Position, format_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from protos.flight.v1 import api_pb2, position_pb2
from tests.integration.serving.filling import WITHIN_S, Filling, filled, position
from tests.integration.serving.processes import Reader, reader

pytestmark = pytest.mark.integration

ALPS = "5,45,11,48"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLive]:
    with EmbeddedLive(tmp_path_factory.mktemp("live"), free_port(), "stand-in") as server:
        yield server


@pytest.fixture(scope="module")
def settings(live: EmbeddedLive) -> Settings:
    return Settings.read(tile38_urls=live.url, grpc_port=free_port())


@pytest.fixture(scope="module")
def active(settings: Settings) -> Iterator[Reader]:
    with reader("active", tile38_urls=settings.tile38_urls, grpc_port=settings.grpc_port) as process:
        yield process


@pytest.fixture
def sky(settings: Settings, active: Reader) -> Iterator[Filling]:
    """A sky with one flight over the Alps, which the process has seen."""
    with filled(settings, position(0x3C6444, 46.5, 8.0)) as filling:
        wait_until(lambda: active.get("/v1/live")["count"] >= 1, WITHIN_S, "the process to see the sky")
        yield filling


Event = tuple[str, dict[str, Any]]


@contextmanager
def events(active: Reader, query: str = f"bbox={ALPS}", **headers: str) -> Iterator[Iterator[Event]]:
    """The events of a stream as an EventSource reads them: name, and data with the id in it."""

    def parsed(lines: Iterator[str]) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                yield fields["event"], json.loads(fields["data"]) | ({"id": fields["id"]} if "id" in fields else {})
                fields = {}

    with active.client.stream("GET", f"/v1/live/events?{query}", headers=headers, timeout=WITHIN_S) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def until(stream: Iterator[Event], name: str) -> dict[str, Any]:
    """The data of the next event of that name; `status` alone may come before it."""
    for found, data in stream:
        if found == name:
            return data
        assert found == "status", (found, data)
    raise AssertionError(f"the stream ended without {name}")


def addresses(data: dict[str, Any]) -> list[str]:
    return [flight["icao24"] for flight in data["flights"]]


def id_of(flight: Position) -> str:
    return format_flight_id(flight.flight_id or 0)


def test_events_tell_who_enters_moves_and_leaves(active: Reader, sky: Filling) -> None:
    with events(active) as stream:
        assert next(stream) == ("reset", {})
        assert addresses(until(stream, "enter")) == ["3c6444"]
        status = until(stream, "status")
        assert (status["partial"], status["missing"]) == (False, [])
        assert 0 <= status["age_s"] < WITHIN_S
        assert status["id"].isdecimal()
        sky.write(position(0x3C6444, 46.6, 8.1, altitude_ft=0), position(0x4B1800, 47.5, 8.5), position(9, 60.0, 8.0))
        assert addresses(until(stream, "enter")) == ["4b1800"]
        moved = until(stream, "move")["flights"]
        assert [(flight["latitude"], flight["altitude_ft"]) for flight in moved] == [(46.6, 0)]
        sky.write(gone := position(0x4B1800, 48.5, 8.5))
        assert until(stream, "leave") == {"flight_ids": [id_of(gone)]}


def test_who_begins_to_match_a_filter_enters_and_who_ceases_leaves(
    settings: Settings, active: Reader, sky: Filling
) -> None:
    def climbed(altitude_ft: int) -> Position:
        sky.write(flight := position(0x4B1802, 46.5, 8.0, altitude_ft=altitude_ft, callsign="SWR7"))
        return flight

    climbed(900)
    wait_until(lambda: active.get("/v1/live?callsign=SWR7")["count"] == 1, WITHIN_S, "the process to see it")
    url = f"{active.client.base_url}".replace("http:", "ws:")
    request = api_pb2.WatchRequest(callsign="SWR", min_altitude_ft=1000, kind=position_pb2.KIND_ADSB)
    with (
        events(active, f"bbox={ALPS}&callsign=SWR&min_altitude_ft=1000") as stream,
        connect(f"{url}/v1/live/ws?bbox={ALPS}&fields=icao24") as socket,
        grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel,
    ):
        assert next(stream) == ("reset", {})
        until(stream, "status")  # it is too low
        socket.send(json.dumps({"callsign": "swr", "min_altitude_ft": 1000}))
        resets = 0
        while resets < 2:  # the second says that what was told before the filters is void
            resets += json.loads(socket.recv(WITHIN_S)) == {"event": "reset"}
        climbed(1000)
        assert addresses(until(stream, "enter")) == ["4b1802"]
        gone = climbed(999)
        assert until(stream, "leave") == {"flight_ids": [id_of(gone)]}
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["event"] != "leave":
            heard.append(json.loads(socket.recv(WITHIN_S)))
        assert [message["event"] for message in heard if message["event"] != "status"] == ["enter", "leave"]
        updates = watch(channel, request)
        assert not next(updates).enter  # it tells no kind, and is too low
        sky.write(replace(climbed(2000), time=now_ms(), kind=Kind.ADSB))
        assert [flight.icao24 for flight in next(update for update in updates if update.enter).enter] == ["4b1802"]
        with pytest.raises(grpc.RpcError, match=r"INVALID_ARGUMENT"):
            next(watch(channel, api_pb2.WatchRequest(min_altitude_ft=2, max_altitude_ft=1)))


def test_a_stream_is_resumed_where_it_broke_off(active: Reader, sky: Filling) -> None:
    with events(active, "fields=latitude") as stream:
        assert next(stream)[0] == "reset"
        until(stream, "enter")
        last = str(until(stream, "status")["id"])
    sky.write(position(0x3C6444, 46.7, 8.2))
    sky.write(position(0x4B1801, 47.5, 8.5))
    wait_until(lambda: active.get("/v1/live?fields=icao24")["count"] >= 2, WITHIN_S, "the process to see both")
    with events(active, "fields=latitude", **{"Last-Event-ID": last}) as stream:
        told: dict[str, list[float]] = {}
        for name, data in stream:
            if name == "status" and len(told) == 2:
                break
            if name != "status":
                told.setdefault(name, []).extend(flight["latitude"] for flight in data["flights"])
        assert 47.5 in told["enter"]
        assert 46.7 in told["move"]
    with events(active, "last_event_id=1") as stream:  # too long ago
        assert next(stream)[0] == "reset"


def test_a_websocket_has_the_same_events_and_may_look_elsewhere(active: Reader, sky: Filling) -> None:
    url = f"{active.client.base_url}".replace("http:", "ws:")

    def hear(socket: ClientConnection, name: str) -> dict[str, Any]:
        while (message := json.loads(socket.recv(WITHIN_S)))["event"] != name:
            assert message["event"] in {"reset", "status", "move"}
        found: dict[str, Any] = message
        return found

    with connect(f"{url}/v1/live/ws?bbox={ALPS}&fields=icao24") as socket:
        assert json.loads(socket.recv(WITHIN_S)) == {"event": "reset"}
        assert "3c6444" in addresses(hear(socket, "enter"))
        assert hear(socket, "status")["id"].isdecimal()
        sky.write(position(0xC88001, -18.0, 179.5))
        wait_until(lambda: active.get("/v1/live?bbox=175,-30,-175,-10")["count"] == 1, WITHIN_S, "Fiji")
        socket.send(json.dumps({"bbox": "175,-30,-175,-10"}))
        while "c88001" not in addresses(hear(socket, "enter")):
            pass
        socket.send("[1]")
        with pytest.raises(ConnectionClosed, match=r"1007.*a message here is"):
            drain(socket)
    with connect(f"{url}/v1/live/ws?bbox={ALPS}") as socket:
        socket.send(b"\0")
        with pytest.raises(ConnectionClosed, match="this was binary"):
            drain(socket)
    with pytest.raises(ConnectionClosed, match="no box"), connect(f"{url}/v1/live/ws?bbox=1,2") as socket:
        socket.recv(WITHIN_S)


def drain(socket: ClientConnection, heard: list[str] | None = None) -> None:
    """Reads until the other end closes, which raises."""
    while True:
        message = socket.recv(WITHIN_S)
        if heard is not None:
            heard.append(str(message))


def watch(channel: grpc.Channel, request: api_pb2.WatchRequest) -> Any:
    call = channel.unary_stream(
        "/flight.v1.LiveService/Watch",
        request_serializer=api_pb2.WatchRequest.SerializeToString,
        response_deserializer=api_pb2.WatchUpdate.FromString,
    )
    return call(request, timeout=2 * WITHIN_S)


def test_grpc_has_the_same_updates(settings: Settings, active: Reader, sky: Filling) -> None:
    box = api_pb2.Box(west=5, south=45, east=11, north=48)
    with grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        updates = watch(channel, api_pb2.WatchRequest(bbox=box))
        first = next(updates)
        assert first.reset
        assert "3c6444" in [flight.icao24 for flight in first.enter]
        assert (first.partial, first.id) == (False, str(first.time))
        newer = position(0x3C6444, 46.8, 8.3, track_deg=0.0)
        sky.write(newer)
        update = next(update for update in updates if update.move)
        assert not update.reset
        assert [decode(flight.SerializeToString()) for flight in update.move] == [newer]
        sky.write(gone := position(0x3C6444, 60.0, 8.3))
        update = next(update for update in updates if update.leave)
        assert list(update.leave) == [gone.flight_id]
        resumed = next(watch(channel, api_pb2.WatchRequest(bbox=box, last_event_id=first.id, fields=["latitude"])))
        assert not resumed.reset
        assert gone.flight_id in resumed.leave
        with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
            next(watch(channel, api_pb2.WatchRequest(fields=["height"])))


def metric(active: Reader, name: str) -> float:
    for line in active.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return 0.0


@contextmanager
def deaf(active: Reader, request: str) -> Iterator[None]:
    """A client that asks and never reads."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", active.client.base_url.port))
        client.sendall(request.replace("\n", "\r\n").encode())
        yield


def test_clients_that_do_not_read_are_dropped_and_counted(settings: Settings, active: Reader) -> None:
    def clients() -> dict[str, float]:
        protocols = ("sse", "websocket", "grpc")
        return {name: metric(active, f'flight_stream_clients{{protocol="{name}"}}') for name in protocols}

    wait_until(lambda: sum(clients().values()) == 0, WITHIN_S, "earlier clients to be gone")
    dropped = 'flight_stream_dropped_total{reason="slow"}'
    before = metric(active, dropped)
    crowd = [position(0xA00000 + number, 10.0, number / 100, callsign="NOBODY") for number in range(4000)]
    upgrade = "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13"
    upgrade += "\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    with (
        filled(settings, *crowd) as sky,
        deaf(active, "GET /v1/live/events HTTP/1.1\nHost: x\n\n"),
        deaf(active, f"GET /v1/live/ws HTTP/1.1\nHost: x\n{upgrade}\n\n"),
        grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}", [("grpc.http2.bdp_probe", 0)]) as channel,
    ):
        call = watch(channel, api_pb2.WatchRequest())

        def drops() -> float:
            now = now_ms()
            sky.write(*(replace(flight, time=now, received_at=now) for flight in crowd))
            return metric(active, dropped) - before

        assert active.get("/v1/live?bbox=0,0,1,20")["count"] > 0  # others are served meanwhile
        wait_until(lambda: drops() == 3, 60, "the clients to be dropped")
        wait_until(lambda: sum(clients().values()) == 0, WITHIN_S, "their places to be free")
        call.cancel()


def test_a_process_that_ends_sends_its_clients_to_another(live: EmbeddedLive, active: Reader) -> None:
    settings = Settings.read(tile38_urls=live.url, grpc_port=free_port())
    with (
        filled(settings, position(0x3C6444, 46.5, 8.0)),
        reader("active", tile38_urls=settings.tile38_urls, grpc_port=settings.grpc_port) as ending,
        grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel,
        connect(f"{ending.client.base_url}/v1/live/ws?bbox={ALPS}".replace("http:", "ws:")) as socket,
        httpx.Client(base_url=ending.client.base_url) as other,
        other.stream("GET", f"/v1/live/events?bbox={ALPS}", timeout=WITHIN_S) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        updates = watch(channel, api_pb2.WatchRequest(bbox=api_pb2.Box(west=5, south=45, east=11, north=48)))
        assert next(updates).reset
        assert json.loads(socket.recv(WITHIN_S)) == {"event": "reset"}
        assert ending.stop() == 0
        told = list(lines)
        assert "event: reconnect" in told
        last = next(line.removeprefix("id: ") for line in reversed(told) if line.startswith("id: "))
        with events(active, **{"Last-Event-ID": last}) as resumed:
            assert next(resumed)[0] != "reset"
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            list(updates)
        heard: list[str] = []
        with pytest.raises(ConnectionClosed, match="1012"):
            drain(socket, heard)
        assert json.loads(heard[-1]) == {"event": "reconnect"}


def test_a_taken_grpc_port_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    from flight_platform.errors import SettingsError
    from serving.active import run_active

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} .*FLIGHT_GRPC_PORT="):
            run_active(Settings.read(grpc_port=port, active_port=free_port()))
