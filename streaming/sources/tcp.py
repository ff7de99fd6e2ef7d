"""A receiver's port, read for as long as it is wanted: pieces of bytes out. What they mean is the source's matter.

connect ──► piece, piece, ... ──► dropped, silent, refused
   ▲                                        │
   └────────────── growing pauses ──────────┘
"""

import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import structlog

from flight_platform.errors import SettingsError
from flight_platform.telemetry import INGEST_LAST_SUCCESS, INGEST_POLLS
from streaming.sources.polling import Pauses, interruptible

log = structlog.get_logger()

SILENCE_S: Final = 180.0  # receivers send a heartbeat a minute at least; after three the connection counts as dead
_CONNECT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5
_LOOK_S: Final = 0.25
_CHUNK: Final = 65_536


class Port:
    """A TCP port of a receiver, connected again whenever it drops."""

    def __init__(self, name: str, host: str, port: int, *, silence_s: float = SILENCE_S) -> None:
        self._name, self._host, self._port, self._silence_s = name, host, port, silence_s

    def pieces(self, stop: threading.Event) -> Iterator[bytes | None]:
        """What comes, until `stop` is set; None at the start of each connection."""
        pauses = Pauses(_FIRST_PAUSE_S)
        while not stop.is_set():
            code, problem = "dropped", "the receiver closed the connection"
            try:
                connection = interruptible(self._connect, stop)
                if connection is None:
                    return
                with connection:
                    log.info("connected", source=self._name, host=self._host, port=self._port)
                    INGEST_POLLS.labels(self._name, "connected").inc()
                    yield None
                    for piece in self._read(connection, stop):
                        pauses.reset()
                        yield piece
            except TimeoutError:
                code, problem = "timeout", f"{self._host}:{self._port} is silent"
            except OSError as error:
                code, problem = "unreachable", f"{self._host}:{self._port}: {error.strerror or error}"
            if stop.is_set():
                return
            INGEST_POLLS.labels(self._name, code).inc()
            pause_s = pauses.next_s()
            log.warning(
                "connection_lost", source=self._name, code=code, problem=problem, next_try_in_s=round(pause_s, 2)
            )
            stop.wait(pause_s)

    def _connect(self) -> socket.socket:
        return socket.create_connection((self._host, self._port), timeout=_CONNECT_S)

    def _read(self, connection: socket.socket, stop: threading.Event) -> Iterator[bytes]:
        """Pieces until the connection ends; raises TimeoutError where it falls silent."""
        heard_s = time.monotonic()
        while not stop.is_set():
            if not select.select([connection], [], [], _LOOK_S)[0]:
                if time.monotonic() - heard_s > self._silence_s:
                    raise TimeoutError
                continue
            piece = connection.recv(_CHUNK)
            if not piece:
                return
            heard_s = time.monotonic()
            INGEST_LAST_SUCCESS.labels(self._name).set_to_current_time()
            yield piece


def host_and_port(url: str, default_port: int) -> tuple[str, int]:
    """The parts of `tcp://host:port` or `host:port`; raises SettingsError where there are none."""
    try:
        parts = urlsplit(url if "://" in url else f"tcp://{url}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError:
        host, port = None, default_port
    if not host or parts.scheme != "tcp":
        raise SettingsError(
            f"--url is {url!r}: a host and port are expected. Example: --url tcp://127.0.0.1:{default_port}"
        )
    return host, port
