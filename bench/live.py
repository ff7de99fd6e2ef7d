"""Live: tracked reports into a live server, from their bytes until it has taken them.

The limit is the server itself: the same SETs, prepared beforehand, pipelined over one raw connection.
"""

import socket
import time
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import redis

from bench.machine import say
from bench.measure import Outcome, Sample, Way, alternate, clocked
from bench.run import Run, pid_of
from flight_platform import kafka
from flight_platform.codec import decode, decode_columns
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.live.connection import IN_FLIGHT
from flight_platform.live.newest import Newest
from flight_platform.live.pack import pack_sets
from flight_platform.live.writer import LiveWriter
from flight_platform.model import Position, format_flight_id
from flight_platform.names import COLLECTION_FLIGHTS
from flight_platform.settings import Settings
from streaming.live import BATCH_RECORDS

_SENT_AT_ONCE = 1_000  # as LiveWriter does
_WINDOW_MS = 60_000
_OK = b"+OK\r\n"


def measure(run: Run) -> dict[str, list[Outcome]]:
    """For each live server that there is."""
    results = {}
    for server in run.live:
        say(f"live: raw SETs, one SET a report, ours: {server.name}")
        results[server.name] = alternate(ways(run, [server], naive=True), run.rounds)
    return results


def ways(run: Run, servers: list[EmbeddedLive], *, naive: bool) -> list[Way]:
    """The ways into these servers, the flights spread over them."""
    work = _Work(run, servers)
    found = [
        Way("raw pipelined SETs, prepared", "limit", work.raw),
        Way("decode, newest, pack, SET: as the live process", "ours", work.ours),
    ]
    if naive:
        found.insert(1, Way("one message, one object, one SET and its reply", "naive", work.one_by_one))
    return found


@dataclass(slots=True)
class _Pipe:
    """One raw connection with some batches in flight."""

    link: socket.socket
    waiting: deque[int]

    def send(self, payload: bytes, commands: int) -> None:
        while len(self.waiting) >= IN_FLIGHT:
            self.finish()
        self.link.sendall(payload)
        self.waiting.append(commands)

    def finish(self) -> None:
        left = self.waiting.popleft() * len(_OK)
        while left:
            left -= len(self.link.recv(min(left, 65_536)))


class _Work:
    def __init__(self, run: Run, servers: list[EmbeddedLive]) -> None:
        self._run, self._servers = run, servers
        self._count = run.pick(40_000, 100_000)
        self._few = run.pick(1_000, 3_000)
        self._settings = Settings.read(tile38_urls=",".join(server.url for server in servers))
        self._pids = [pid_of(server) for server in servers]

    def _fresh(self) -> list[bytes]:
        """Messages as of now: all flights of a batch are different ones, as in a busy sky."""
        return self._run.tracked(self._count, ticks=self._count // 20_000, start_ms=kafka.now_ms() - 6_000)

    def raw(self) -> Sample:
        messages, now_ms = self._fresh(), kafka.now_ms()
        writer = LiveWriter(self._settings)
        prepared: list[tuple[int, bytes, int]] = []
        for start in range(0, len(messages), BATCH_RECORDS):  # the same commands in the same order as ours
            columns = decode_columns(messages[start : start + BATCH_RECORDS])[0]
            columns = columns.take(np.argsort(columns["flight_id"]))
            for place, held in enumerate(writer._placement.holders(columns["flight_id"])):
                rows = columns.take(held)
                for first in range(0, len(rows), _SENT_AT_ONCE):
                    part = rows.take(np.arange(first, min(first + _SENT_AT_ONCE, len(rows))))
                    prepared.append((place, pack_sets(part, now_ms, _WINDOW_MS), len(part)))
        writer.close()
        pipes = [_Pipe(_connect(server), deque()) for server in self._servers]
        with clocked(len(messages), self._pids) as sample:
            for place, payload, count in prepared:
                pipes[place].send(payload, count)
            for pipe in pipes:
                while pipe.waiting:
                    pipe.finish()
        for pipe in pipes:
            pipe.link.close()
        return sample

    def ours(self) -> Sample:
        messages = self._fresh()
        batches = [messages[start : start + BATCH_RECORDS] for start in range(0, len(messages), BATCH_RECORDS)]
        partitions = np.zeros(BATCH_RECORDS, dtype="i4")
        newest, writer = Newest(), LiveWriter(self._settings)
        empty = newest.rows([])
        deadline = time.monotonic() + 10
        while writer.away() and time.monotonic() < deadline:
            writer.fill(empty, kafka.now_ms())
        written = 0
        with clocked(len(messages), self._pids) as sample:
            for batch in batches:
                columns, _ = decode_columns(batch)
                now_ms = kafka.now_ms()
                columns = columns.take(columns["time"] > now_ms - _WINDOW_MS)
                news = newest.merge(columns, partitions[: len(columns)])
                written += writer.write(columns.take(news), now_ms)
            writer.settle()
        writer.close()
        if written != len(messages):
            raise RuntimeError(f"{written} of {len(messages)} reports written: this is no fair comparison")
        return sample

    def one_by_one(self) -> Sample:
        messages = self._fresh()[: self._few]
        client = client_of(self._servers[0])
        client.ping()
        with clocked(len(messages), self._pids) as sample:
            for message in messages:
                client.execute_command("SET", *words_of(decode(message)))  # type: ignore[no-untyped-call]
        client.close()
        return sample


def _connect(server: EmbeddedLive) -> socket.socket:
    parts = urlsplit(server.url)
    link = socket.create_connection((parts.hostname, parts.port), timeout=10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def client_of(server: EmbeddedLive) -> redis.Redis:
    """An ordinary client."""
    parts = urlsplit(server.url)
    return redis.Redis(parts.hostname or "", parts.port or 0, protocol=2, driver_info=None)


def words_of(position: Position) -> list[object]:
    """The SET as one writes it by hand."""
    words: list[object] = [COLLECTION_FLIGHTS, format_flight_id(position.flight_id or 0)]
    for name in ("time", "received_at", "altitude_ft", "ground_speed_kt", "track_deg", "vertical_rate_fpm"):
        words += ["FIELD", name, getattr(position, name) or 0]
    for name in ("callsign", "squawk", "source"):
        words += ["FIELD", name, f'"{getattr(position, name) or ""}"']
    return [*words, "EX", 60, "POINT", position.latitude, position.longitude]
