"""The source `sbs` against a real port: pieces of lines, drops, silence, a clock in another zone."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from flight_platform.settings import Settings
from streaming.sources import open_source
from streaming.sources.base import Batch
from streaming.sources.sbs import Sbs
from tests.integration.sources.collecting import STOP_S, collect, polls, seconds_to_stop

pytestmark = pytest.mark.integration


@contextmanager
def port(*connections: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port that treats its connections so, one after the other, and then drops them."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for treat in connections:
            try:
                connection, _ = listener.accept()
                with connection:
                    treat(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def place(hex_: str = "3C6444", latitude: str = "50.5", at: datetime | None = None) -> bytes:
    """A position line."""
    moment = (at or datetime.now(UTC)).strftime("%Y/%m/%d,%H:%M:%S.%f")[:-3]
    return f"MSG,3,1,1,{hex_},1,{moment},{moment},,1000,,,{latitude},8.5,,,,,,0\r\n".encode()


def latitudes(batches: list[Batch]) -> list[float]:
    """Of all positions."""
    return [p.latitude for batch in batches for p in batch.positions]


def test_lines_come_in_pieces_with_heartbeats_and_noise_between() -> None:
    def treat(connection: socket.socket) -> None:
        whole = b"\r\n" + place(latitude="1") + b"garbage\r\n" + place(latitude="2")
        for at in range(0, len(whole), 25):
            connection.sendall(whole[at : at + 25])
            time.sleep(0.005)

    with port(treat) as number:
        source = open_source("sbs", Settings.read(), url=f"tcp://127.0.0.1:{number}", name="s-pieces")
        batches = collect(source, lambda batches: len(latitudes(batches)) >= 2)
    assert latitudes(batches) == [1.0, 2.0]
    assert [one.original for batch in batches for one in batch.refused] == [b"garbage"]


def test_a_dropped_connection_is_made_again_and_half_a_line_is_forgotten() -> None:
    with port(
        lambda connection: connection.sendall(place(latitude="1") + place(latitude="2")[:60]),
        lambda connection: connection.close(),
        lambda connection: connection.sendall(place(latitude="3")),
    ) as number:
        source = open_source("sbs", Settings.read(), url=f"127.0.0.1:{number}", name="s-drop")
        batches = collect(source, lambda batches: len(latitudes(batches)) >= 2)
    assert latitudes(batches) == [1.0, 3.0]
    assert [one for batch in batches for one in batch.refused] == []
    assert polls("s-drop", "connected") == 3
    assert polls("s-drop", "dropped") == 2


def test_a_silent_connection_counts_as_dead() -> None:
    with port(
        lambda connection: connection.recv(1),  # says nothing until the other side has given up
        lambda connection: connection.sendall(place()),
    ) as number:
        source = Sbs("s-silent", "127.0.0.1", number, silence_s=0.5)
        collect(source, lambda batches: len(latitudes(batches)) >= 1)
    assert polls("s-silent", "timeout") == 1


def test_a_port_that_is_closed_is_tried_again_and_stop_is_honoured() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    source = open_source("sbs", Settings.read(), url=f"127.0.0.1:{number}", name="s-closed")
    assert seconds_to_stop(source, after_s=1.5) < STOP_S
    assert polls("s-closed", "unreachable") >= 2


def test_stop_is_honoured_while_nothing_comes() -> None:
    hold = threading.Event()
    with port(lambda _: hold.wait(10)) as number:
        source = open_source("sbs", Settings.read(), url=f"127.0.0.1:{number}", name="s-stop")
        assert seconds_to_stop(source, after_s=0.4) < STOP_S
        hold.set()


@pytest.mark.parametrize(("zone", "doubtful"), [("UTC", True), ("Asia/Tokyo", False)])
def test_a_clock_in_another_zone_is_read_by_its_zone_or_doubted(
    zone: str, doubtful: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    with port(lambda connection: connection.sendall(place(at=now + timedelta(hours=9)))) as number:
        source = open_source("sbs", Settings.read(), url=f"127.0.0.1:{number}", timezone=zone, name="s-zone")
        batches = collect(source, lambda batches: len(latitudes(batches)) >= 1)
    (position,) = [p for batch in batches for p in batch.positions]
    away_s = position.time / 1000 - now.timestamp()
    assert round(away_s / 3600) == (9 if doubtful else 0)
    assert ("time_zone_doubtful" in capsys.readouterr().out) is doubtful
