"""Push: many SSE clients of one active API, each with a box of its own, and how long they wait.

    writer (a report a second and flight) ──► live server ──► active API ──► clients, over the loopback

`python -m bench.push` runs it alone. Two delays: from when the API read the store until a client has the update, and,
of some clients, from `received_at` of each report, which holds the second between two reads as well. Clients and writer
share the machine with what they measure, so the figures are those of the whole, and worse than the API's own.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop

from bench.machine import facts, load_average, say
from bench.measure import cpu_seconds, percentile
from bench.readers import api, running
from bench.run import Run, live_server
from flight_platform.codec import COLUMN_TYPES, Columns, parse_time
from flight_platform.embedded.process import free_port
from flight_platform.kafka import now_ms
from flight_platform.live.writer import LiveWriter
from flight_platform.settings import Settings

CLIENTS: Final = 5_000
FLIGHTS: Final = 6_500
_HUBS: Final = 60  # where traffic is dense; most of it is near one
_BOX: Final = (5.0, 3.5)  # degrees: a region, as one looks at on a map
_WRITES_A_SECOND: Final = 10
_CONSTANT: Final[dict[str, Any]] = {
    "altitude_ft": 35_000,
    "ground_speed_dkt": 4500,
    "callsign": b"BENCH1",
    "kind": 1,
    "source": b"bench",
}
_STATUS: Final = b"event: status\ndata: "
_RAMP_A_SECOND: Final = 500  # connections


class Sky(threading.Thread):
    """Flights that report once a second, evenly spread over it, until it is ended."""

    def __init__(self, settings: Settings, flights: int, seed: int = 1) -> None:
        super().__init__(name="sky", daemon=True)
        self._random = np.random.default_rng(seed)
        self._hubs = np.stack([self._random.uniform(-160, 170, _HUBS), self._random.uniform(-40, 60, _HUBS)])
        centres = self._hubs[:, self._random.integers(0, _HUBS, flights)]
        self.longitudes = centres[0] + self._random.normal(0, 4, flights)
        self.latitudes = centres[1] + self._random.normal(0, 3, flights)
        self._courses = self._random.uniform(0, 2 * np.pi, flights)
        self._writer, self._ended = LiveWriter(settings), threading.Event()

    def run(self) -> None:
        due, turn = time.monotonic(), 0
        while not self._ended.wait(max(due - time.monotonic(), 0)):
            if self._writer.away():  # at the start, and where it was lost under somebody's load
                self._writer.fill(self._rows(np.arange(len(self._courses))), now_ms())
                due = time.monotonic()
            due += 1 / _WRITES_A_SECOND
            self._writer.write(self._rows(np.arange(turn, len(self._courses), _WRITES_A_SECOND)), now_ms())
            self._writer.write_watermarks({0: now_ms()}, 1)
            turn = (turn + 1) % _WRITES_A_SECOND

    def end(self) -> None:
        self._ended.set()
        self.join(10)
        self._writer.close()

    def flight_id(self, number: int) -> int:
        """The id of one of the flights."""
        return number + 0x3C0000 << 32 | 1_769_860_000

    def densest(self) -> tuple[float, float, float, float]:
        """A region as one looks at on a map, where most of them are: west, south, east, north."""
        width, height = _BOX

        def near(hub: tuple[float, float]) -> int:
            inside = (abs(self.longitudes - hub[0]) < width / 2) & (abs(self.latitudes - hub[1]) < height / 2)
            return int(inside.sum())

        x, y = max(zip(*self._hubs.tolist(), strict=True), key=near)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def _rows(self, which: Any) -> Columns:
        self.longitudes[which] += np.sin(self._courses[which]) * 0.002  # some 450 knots
        self.latitudes[which] += np.cos(self._courses[which]) * 0.002
        values = {name: np.zeros(len(which), dtype=kind) for name, kind in COLUMN_TYPES.items()}
        known = {name: np.zeros(len(which), dtype=bool) for name in COLUMN_TYPES}
        for name, value in _CONSTANT.items():
            values[name][:], known[name][:] = value, True
        values["flight_id"][:] = (which + 0x3C0000) << 32 | 1_769_860_000
        values["time"][:] = values["received_at"][:] = now_ms()
        values["latitude_e7"][:] = self.latitudes[which] * 1e7
        values["longitude_e7"][:] = self.longitudes[which] * 1e7
        for name in ("flight_id", "time", "received_at", "latitude_e7", "longitude_e7"):
            known[name][:] = True
        return Columns(values, known)


@dataclass(slots=True)
class Heard:
    """What the clients tell."""

    delays_ms: list[float] = field(default_factory=list)  # from the read of the store to the client
    latencies_ms: list[float] = field(default_factory=list)  # from received_at to the client
    received: int = 0  # bytes
    counting: bool = False


class Client(asyncio.Protocol):
    """One EventSource that looks at as little as it can; `curious` reads the flights as well."""

    def __init__(self, query: str, heard: Heard, *, curious: bool) -> None:
        self._request = f"GET /v1/live/events?{query} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        self._heard, self._curious = heard, curious
        self._rest = b""
        self.updates, self.lost = 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # it is a stream's

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        self._heard.received += len(data)
        text = self._rest + data
        *events, self._rest = text.split(b"\n\n")
        for event in events:
            self._event(event)

    def _event(self, event: bytes) -> None:
        if _STATUS in event:
            self.updates += 1
            if self._heard.counting:
                read_ms = int(event.partition(b"id: ")[2].partition(b"\n")[0])
                self._heard.delays_ms.append(now_ms() - read_ms)
        elif self._curious and self._heard.counting and b"event: move" in event:
            flights = json.loads(event[event.index(b"data: ") + 6 :])["flights"]
            now = now_ms()
            self._heard.latencies_ms += [now - parse_time(flight["received_at"]) for flight in flights]


async def _listen(
    port: int, pid: int, sky: Sky, clients: int, seconds: float, curious: int
) -> tuple[Heard, dict[str, Any]]:
    loop, heard = asyncio.get_running_loop(), Heard()
    found: list[Client] = []
    places = np.random.default_rng(2).integers(0, len(sky.latitudes), clients)
    for number, place in enumerate(places):
        west, south = sky.longitudes[place] - _BOX[0] / 2, sky.latitudes[place] - _BOX[1] / 2
        query = f"bbox={west:.3f},{south:.3f},{west + _BOX[0]:.3f},{south + _BOX[1]:.3f}"
        make = Client(query, heard, curious=number < curious)
        await loop.create_connection(lambda make=make: make, "127.0.0.1", port)  # type: ignore[misc]
        found.append(make)
        if number % 50 == 49:
            await asyncio.sleep(50 / _RAMP_A_SECOND)
    say(f"push: {clients} clients are connected")
    await asyncio.sleep(3)
    before = sum(client.updates for client in found)
    heard.counting, heard.received, used = True, 0, cpu_seconds(pid)
    await asyncio.sleep(seconds)
    heard.counting, used = False, cpu_seconds(pid) - used
    updates = sum(client.updates for client in found) - before
    told = {
        "updates_a_client_and_s": round(updates / clients / seconds, 3),
        "lost": sum(client.lost for client in found),
        "kB_an_update": round(heard.received / max(updates, 1) / 1000, 2),
        "MB_a_second": round(heard.received / seconds / 1e6, 1),
        "api_cores": round(used / seconds, 2),
        "api_us_an_update": round(used / max(updates, 1) * 1e6),
        "api_MB": _resident_mb(pid),
    }
    return heard, told


def measure(run: Run, kind: str) -> dict[str, Any]:
    """As a part of the whole comparison."""
    return push(run.pick(1_000, CLIENTS), FLIGHTS, run.pick(5, 20), kind)


def push(clients: int, flights: int, seconds: float, kind: str, curious: int = 50) -> dict[str, Any]:
    """So many clients for so long; bounded, and nothing is left of it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with (
        tempfile.TemporaryDirectory(prefix="flight-push-") as folder,
        live_server(Path(folder), kind) as live,
    ):
        settings = Settings.read(tile38_urls=live.url, active_port=free_port(), grpc_port=free_port())
        sky = Sky(settings, flights)
        sky.start()
        try:
            with running(api("active", settings, Path(folder) / "active.log")) as (pid,):
                say(f"push: {flights} flights, {clients} clients")
                heard, told = uvloop.run(_listen(settings.active_port, pid, sky, clients, seconds, curious))
        finally:
            sky.end()
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        "clients": clients,
        "flights": flights,
        "live_server": kind,
        **told,
        "delay_ms": {name: percentile(heard.delays_ms, share) for name, share in shares.items()},
        "latency_ms": {name: percentile(heard.latencies_ms, share) for name, share in shares.items()},
        "load": load_average(),
    }


def _resident_mb(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def main() -> None:
    """Runs it and prints its numbers."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.push", description=__doc__, epilog="example: python -m bench.push --clients 1000"
    )
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--flights", type=int, default=FLIGHTS)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--live", choices=("tile38", "stand-in"), default="stand-in")
    words = parser.parse_args()
    result = {"machine": facts(), **push(words.clients, words.flights, words.seconds, words.live)}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
