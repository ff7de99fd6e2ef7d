"""Whether Kafka and the live servers answer this process: asked every other second, told in its metrics alone.

A server is asked for a word of its own protocol, since a connection alone says little: the kernel takes it for a
process that hangs. Postgres is not asked here: the heartbeat writes to it each second and knows.
"""

import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from flight_platform.settings import Settings
from flight_platform.telemetry import DEPENDENCY_UP

_EVERY_S: Final = 2.0
_PATIENCE_S: Final = 2.0
_API_VERSIONS: Final = 18  # the one request that every broker answers to anybody
_REQUEST: Final = struct.Struct(">ihhih")  # size, kind, version, number, length of the client's name (-1: none)
_ANSWER: Final = struct.Struct(">ii")  # size, number of the request


@contextmanager
def watched(settings: Settings) -> Iterator[None]:
    """Watches the servers while the body runs."""
    end = threading.Event()
    checks = _checks(settings)

    def watch() -> None:
        while not end.is_set():
            for name, check in checks.items():
                DEPENDENCY_UP.labels(name).set(_answers(check))
            end.wait(_EVERY_S)

    thread = threading.Thread(target=watch, name="dependencies", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()  # not waited for: it may be in the middle of its patience


def _checks(settings: Settings) -> dict[str, Callable[[], bool]]:
    brokers = [_place(f"kafka://{address.strip()}", 9092) for address in settings.kafka_bootstrap.split(",")]
    live = {
        f"live-{number}": partial(live_answers, _place(url, 9851)) for number, url in enumerate(settings.tile38_urls, 1)
    }
    return {"kafka": lambda: any(_answers(partial(kafka_answers, broker)) for broker in brokers), **live}


def _place(url: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or default_port


def _answers(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OSError:
        return False


def kafka_answers(broker: tuple[str, int]) -> bool:
    """Whether a broker says which requests it knows; raises OSError where it cannot be reached."""
    number = secrets.randbits(31)
    with socket.create_connection(broker, _PATIENCE_S) as connection:
        connection.sendall(_REQUEST.pack(_REQUEST.size - 4, _API_VERSIONS, 0, number, -1))
        answer = _receive(connection, _ANSWER.size)
    return len(answer) == _ANSWER.size and _ANSWER.unpack(answer)[1] == number


def live_answers(server: tuple[str, int]) -> bool:
    """Whether a live server says anything to a PING, be it that it wants a password; raises OSError."""
    with socket.create_connection(server, _PATIENCE_S) as connection:
        connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        return bool(_receive(connection, 1))


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (piece := connection.recv(size - len(received))):
        received += piece
    return received
