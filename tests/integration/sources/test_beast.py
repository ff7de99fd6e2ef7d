"""The source `beast` over a real connection: pieces, drops, the way back, a clean end."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flight_platform.settings import Settings
from streaming.sources import open_source
from streaming.sources.base import Batch
from tests.mode_s import airborne, beast, squitter

pytestmark = pytest.mark.integration

PAIR = [beast(squitter(airborne(59.7, 32.0, odd=odd)), counter=1 + odd) for odd in (False, True)]
DEADLINE_S = 15.0


@contextmanager
def receiver() -> Iterator[socket.socket]:
    """A port that a source can be connected to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        yield server


class Reader:
    """Reads a source in a thread."""

    def __init__(self, server: socket.socket) -> None:
        port = server.getsockname()[1]
        source = open_source("beast", Settings.read(), url=f"tcp://127.0.0.1:{port}")
        self.batches: list[Batch] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._read, args=(source.batches(self.stop),))
        self.thread.start()

    def _read(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            self.batches.append(batch)

    def positions(self) -> int:
        """How many reports have come."""
        return sum(len(batch.positions) for batch in list(self.batches))

    def wait_for(self, positions: int) -> None:
        """Waits until so many reports have come."""
        until = time.monotonic() + DEADLINE_S
        while self.positions() < positions:
            assert time.monotonic() < until, f"{self.positions()} of {positions} reports came"
            time.sleep(0.02)

    def end(self) -> float:
        """Stops, and how long that took."""
        started = time.monotonic()
        self.stop.set()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        return time.monotonic() - started


def test_a_dropped_connection_comes_back_and_aircraft_are_remembered() -> None:
    with receiver() as server:
        reader = Reader(server)
        try:
            before_ms = time.time_ns() // 1_000_000
            first, _ = server.accept()
            with first:
                first.sendall(PAIR[0] + PAIR[1][:7])
                time.sleep(0.05)  # two pieces
                first.sendall(PAIR[1][7:] + PAIR[0][:9])  # and half a frame at the end
                reader.wait_for(1)
            second, _ = server.accept()
            with second:
                second.sendall(beast(squitter(airborne(59.71, 32.0, odd=False)), counter=3))
                reader.wait_for(2)
        finally:
            took_s = reader.end()
    assert took_s < 5, "it ends when it is told to"
    reports = [position for batch in reader.batches for position in batch.positions]
    assert [p.icao24 for p in reports] == ["3c6444", "3c6444"]
    assert all(before_ms <= p.time <= p.received_at + 1 for p in reports)
    assert [one for batch in reader.batches for one in batch.refused] == []


def test_the_wrong_port_is_told() -> None:
    with receiver() as server:
        reader = Reader(server)
        try:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"MSG,3,1,1,3C6444,1,2018/04/03,19:02:28.136,,,,,,,,,,,,,,0\r\n" * 100)
                until = time.monotonic() + DEADLINE_S
                while not any(batch.refused for batch in list(reader.batches)):
                    assert time.monotonic() < until
                    time.sleep(0.02)
        finally:
            reader.end()
    refused = [one for batch in reader.batches for one in batch.refused]
    assert "feed it with the source sbs" in refused[0].detail
