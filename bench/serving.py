"""The readers: the ten commonest requests, asked of an API itself, through the edge, with TLS, past the edge's cache;
beside readsb's way (a file that is written once a second and served as it is) and a plain FastAPI over redis-py.

    writer (a report a second and flight) ──► live server ──► 2 active APIs ──┬─► edge ──► load program (`load.py`)
                                   Postgres, an hour of flights ──► history API ─┘

All of it shares one machine with the load program, so rates are those of the whole. `CPU us` is processor time of the
servers that the way made work, a request; what they do while nobody asks (an API reads the sky each second) is told by
itself and left out.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import numpy as np
import psycopg

from bench import exports, readers
from bench.load import Loaded, load
from bench.machine import facts, load_average, say
from bench.measure import cpu_seconds
from bench.push import FLIGHTS, Sky
from bench.run import Run, live_server, pid_of, prepared
from cli.programs import instances
from flight_platform.embedded.process import free_port
from flight_platform.flights.airports import Airports
from flight_platform.history.flights import derive_hour
from flight_platform.history.partitions import ensure_hour
from flight_platform.model import format_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

CONNECTIONS: Final = 16
_UNLIMITED: Final = 10_000_000  # requests a second of one address: it is the edge that is measured, and not its limits
_IDLE_S: Final = 2.0
_FIRST: Final = 0x3A0000  # address of the flights in history
_LONG: Final = 0x3B0000  # of one of many hours
_BROWSER: Final = {"Accept-Encoding": "gzip"}
_FILL: Final = """
INSERT INTO history.positions (
    flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, ground_speed_dkt, track_ddeg,
    vertical_rate_fpm, kind, on_ground, callsign, source
)
SELECT
    (%(address)s + f)::bigint << 32 | extract(epoch FROM %(begin)s::timestamptz)::bigint,
    t, t + interval '40 ms', 450000000 + f * 10000 + s * 3000, 60000000 + s * 4500, 30000 + s %% 8000, 4500, 450, 0, 1,
    false, 'BENCH' || f, 'bench'
FROM generate_series(0, %(flights)s - 1) AS f
CROSS JOIN generate_series(0, %(positions)s - 1) AS s
CROSS JOIN LATERAL (SELECT %(begin)s::timestamptz + s * %(step)s::interval) AS at (t)
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One of the commonest requests."""

    name: str
    path: str
    api: str = "active"
    headers: dict[str, str] = field(default_factory=dict)
    cached: bool = False  # by the edge
    as_file: bool = False  # whether the same bytes could be a file
    naive: bool = False  # whether the naive API has it


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask."""

    name: str
    url: str
    headers: dict[str, str]
    servers: list[int]


@dataclass(slots=True)
class Readers:
    """Everything that answers, and whose processor time counts for which."""

    settings: Settings
    flight: str  # a live flight
    past: str  # a flight in history
    long: str  # one with many positions
    box: tuple[float, float, float, float]
    live: int
    postgres: int
    active: list[int]
    history: int
    naive: tuple[int, int]  # process, port
    edge: int | None
    files: tuple[int, int] | None
    folder: Path

    def requests(self) -> list[Request]:
        """The ten."""
        west, south, east, north = self.box
        box = f"{west:.2f},{south:.2f},{east:.2f},{north:.2f}"
        middle = f"lat={(south + north) / 2:.2f}&lon={(west + east) / 2:.2f}&radius_nm=100"
        column, row = int((west + 180) / 360 * 16), _row(north, 16)
        tile = f"/v1/live/tiles/4/{column}/{row}.json"
        tag = httpx.get(f"{self.address('active')}{tile}").headers.get("etag", "")
        states = f"/api/states/all?lamin={south:.2f}&lomin={west:.2f}&lamax={north:.2f}&lomax={east:.2f}"
        return [
            Request("tile of the map", tile, cached=True, as_file=True),
            Request("the same, had already (304)", tile, headers={"If-None-Match": tag}, cached=True),
            Request("box of a region", f"/v1/live?bbox={box}", cached=True, naive=True),
            Request("100 nm around a point", f"/v1/live/nearby?{middle}", naive=True),
            Request("one flight", f"/v1/live/{self.flight}", naive=True),
            Request("the world, protobuf", "/v1/live?format=protobuf", cached=True, as_file=True),
            Request("readsb's aircraft.json, the world", "/data/aircraft.json", cached=True, as_file=True, naive=True),
            Request("OpenSky's states of a region", states, cached=True, naive=True),
            Request("flights of the last hour", "/v1/flights", api="history"),
            Request("track of a flight", f"/v1/flights/{self.past}/track", api="history", naive=True),
        ]

    def address(self, api: str) -> str:
        """Where the first instance of an API answers."""
        port = self.settings.active_port if api == "active" else self.settings.history_port
        return f"http://127.0.0.1:{port}"

    def is_calm(self) -> bool:
        """Whether the sky is answered."""
        return httpx.get(f"{self.address('active')}/v1/live?format=protobuf", timeout=20).is_success

    def ways(self, request: Request) -> Iterator[Way]:
        """All ways to ask for it, the API itself first."""
        store = [self.live] if request.api == "active" else [self.postgres]
        behind = self.active if request.api == "active" else [self.history]
        headers = _BROWSER | request.headers
        yield Way("API itself", self.address(request.api) + request.path, headers, [*behind[:1], *store])
        if request.naive:
            number, port = self.naive
            yield Way("naive", f"http://127.0.0.1:{port}{request.path}", headers, [number, *store])
        if request.as_file:
            yield self._as_file(request)
        if self.edge is None:
            return
        servers = [self.edge, *behind, *store]
        plain = f"http://127.0.0.1:{self.settings.edge_port}{request.path}"
        cache = ", its cache" if request.cached else ""
        yield Way(f"edge{cache}", plain, headers, servers)
        if request.cached and not request.headers:
            yield Way("edge, past its cache", plain, {**headers, "Cache-Control": "no-cache"}, servers)
        tls = f"https://127.0.0.1:{self.settings.edge_tls_port}{request.path}"
        yield Way(f"edge{cache}, TLS", tls, headers, servers)

    def _as_file(self, request: Request) -> Way:
        """The very bytes of the answer as a file: readsb's way."""
        name = f"{abs(hash(request.path)):x}"
        path = self.folder / "files" / name
        with httpx.stream("GET", self.address(request.api) + request.path, headers=_BROWSER) as answer:
            path.write_bytes(b"".join(answer.iter_raw()))
        path.chmod(0o644)
        number, port = self.files or self.naive
        what = "file, nginx" if self.files else "file, Starlette"
        return Way(what, f"http://127.0.0.1:{port}/files/{name}", _BROWSER, [number])


def _row(latitude: float, rows: int) -> int:
    radians = np.radians(latitude)
    return int((1 - np.log(np.tan(radians) + 1 / np.cos(radians)) / np.pi) / 2 * rows)


def measure(run: Run, kind: str) -> dict[str, Any]:
    """As a part of the whole comparison."""
    with _running(run, kind) as answering:
        requests = answering.requests()
        idle = _idle(answering)
        if run.quick:  # one of each kind: shared, asked of the live store, asked of Postgres
            requests = [request for request in requests if request.name in _QUICK]
        told = [row for request in requests for row in _compare(answering, request, idle, run)]
        return {
            "live_server": kind,
            "flights": FLIGHTS,
            "connections": CONNECTIONS,
            "idle_cores": round(idle[answering.active[0]], 3),
            "requests": told,
            "exports": exports.measure(run, answering),
            "load": load_average(),
        }


_QUICK: Final = frozenset({"tile of the map", "box of a region", "readsb's aircraft.json, the world"})


def _idle(answering: Readers) -> dict[int, float]:
    """Cores that each process takes while nobody asks."""
    numbers = [*answering.active, answering.history, answering.live, answering.postgres, answering.naive[0]]
    before = {number: cpu_seconds(number) for number in numbers}
    time.sleep(_IDLE_S)
    return {number: (cpu_seconds(number) - used) / _IDLE_S for number, used in before.items()}


def _compare(answering: Readers, request: Request, idle: dict[int, float], run: Run) -> list[dict[str, Any]]:
    """All ways to one request, in turn, each round beginning with another."""
    say(f"serving: {request.name}")
    ways = list(answering.ways(request))
    rounds, seconds = run.pick(1, 3), run.pick(1, 2)
    samples: dict[str, list[tuple[Loaded, float]]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in [*ways[number % len(ways) :], *ways[: number % len(ways)]]:
            # What the way before has left behind it in a store is not this one's.
            wait_until(answering.is_calm, 60, "the API to be calm again")
            used, began = sum(map(cpu_seconds, way.servers)), time.monotonic()
            loaded = load(way.url, way.headers, CONNECTIONS, seconds)
            idled = sum(idle.get(number, 0) for number in way.servers) * (time.monotonic() - began)
            samples[way.name].append((loaded, sum(map(cpu_seconds, way.servers)) - used - idled))
    return rows_of(request.name, [(way.name, samples[way.name]) for way in ways])


def rows_of(request: str, samples: list[tuple[str, list[tuple[Loaded, float]]]]) -> list[dict[str, Any]]:
    """Medians over the rounds, and ratios within a round to the first way, to the file and to the naive one."""
    by_name = dict(samples)

    def ratio(name: str, other: str | None) -> float | None:
        if other is None or other == name:
            return None
        pairs = zip(by_name[name], by_name[other], strict=True)
        return median(a.rate / b.rate for (a, _), (b, _) in pairs)

    direct = samples[0][0]
    file = next((name for name, _ in samples if name.startswith("file")), None)
    naive = next((name for name, _ in samples if name == "naive"), None)
    return [
        {
            "request": request,
            "way": name,
            "of_direct": ratio(name, direct),
            "of_file": ratio(name, file),
            "of_naive": ratio(name, naive),
            "per_s": round(median(loaded.rate for loaded, _ in rounds)),
            "p50_ms": round(median(loaded.p50_ms for loaded, _ in rounds), 2),
            "p99_ms": round(median(loaded.p99_ms for loaded, _ in rounds), 2),
            "cpu_us": round(_cpu_us(rounds), 1),
            "kB": round(median(loaded.received / loaded.requests for loaded, _ in rounds) / 1000, 2),
            "load_cores": round(median(loaded.client_cpu_s / loaded.seconds for loaded, _ in rounds), 2),
            "bound": any(loaded.bound for loaded, _ in rounds),
            "failed": sum(loaded.failed for loaded, _ in rounds),
            "rates": [round(loaded.rate) for loaded, _ in rounds],
        }
        for name, rounds in samples
    ]


def _cpu_us(rounds: list[tuple[Loaded, float]]) -> float:
    """Over all rounds at once, since few slow requests are within the noise of what goes on unasked."""
    return max(sum(used for _, used in rounds), 0) / sum(loaded.requests for loaded, _ in rounds) * 1e6


@contextmanager
def _running(run: Run, kind: str) -> Iterator[Readers]:
    """All readers over a filled live server and a filled database."""
    with ExitStack() as stack:
        live = stack.enter_context(live_server(run.folder, kind))
        postgres_url = stack.enter_context(run.database())
        say("serving: an hour of flights in Postgres")
        past, long = _fill(run, postgres_url)
        folder = live.folder
        (folder / "files").mkdir(mode=0o755)
        has_edge = readers.has_edge()
        settings = Settings.read(
            var=folder / "var",
            tile38_urls=live.url,
            postgres_url=postgres_url,
            active_port=readers.instance_ports(),
            history_port=readers.instance_ports(),
            grpc_port=readers.instance_ports(),
            edge_port=free_port(),
            edge_tls_port=free_port(),
            edge_metrics_port=free_port(),
            edge_rate=_UNLIMITED,
            edge_connections=10 * CONNECTIONS,
        )
        sky = Sky(settings, FLIGHTS)
        sky.start()
        stack.callback(sky.end)
        say(f"serving: two active APIs, history, naive{', the edge' if has_edge else ''}")
        files, listed = folder / "files", instances(settings)
        programs = [
            readers.api("active", settings, folder / f"active-{one.number}.log", **readers.of_instance(one))
            for one in listed
        ]
        programs += [
            readers.api("history", settings, folder / "history.log"),
            readers.naive(live.url, postgres_url, files, folder / "naive.log"),
        ]
        if readers.has_file_server():
            programs.append(readers.file_server(files, folder / "nginx.log"))
        if has_edge:
            programs.append(readers.edge(settings, folder / "edge.log"))
        numbers = stack.enter_context(readers.running(*programs))
        answers = {p.log.stem: (number, p.port) for p, number in zip(programs, numbers, strict=True)}
        yield Readers(
            settings=settings,
            flight=format_flight_id(sky.flight_id(0)),
            past=past,
            long=long,
            box=sky.densest(),
            live=pid_of(live),
            postgres=pid_of(run.postgres),
            active=numbers[: len(listed)],
            history=answers["history"][0],
            naive=answers["naive"],
            edge=answers["edge"][0] if has_edge else None,
            files=answers.get("nginx"),
            folder=folder,
        )


def _fill(run: Run, url: str) -> tuple[str, str]:
    """An hour of flights that report each five seconds, and one of many hours that reports each second; ids of both."""
    now = datetime.now(UTC).replace(microsecond=0)
    begin, positions = now - timedelta(minutes=58), run.pick(5_000, 30_000)
    long_begin = now - timedelta(seconds=positions + 60)
    with psycopg.connect(url, autocommit=True) as connection:
        for hour in range(12):
            ensure_hour(connection, now - timedelta(hours=hour))
        several = {"address": _FIRST, "begin": begin, "flights": run.pick(60, 300), "positions": 690, "step": "5 s"}
        alone = {"address": _LONG, "begin": long_begin, "flights": 1, "positions": positions, "step": "1 s"}
        for what in (several, alone):
            connection.execute(_FILL, what)
        connection.execute("ANALYZE history.positions")
        for moment in (begin, now):  # as the platform does each few minutes
            derive_hour(connection, moment, Airports([]), now)
    ids = ((_FIRST, begin), (_LONG, long_begin))
    first, long = (format_flight_id(address << 32 | int(moment.timestamp())) for address, moment in ids)
    return first, long


def main() -> None:
    """Runs it alone and prints its numbers."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving", description=__doc__, epilog="example: python -m bench.serving --quick"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--live", choices=("tile38", "stand-in"), default="stand-in")
    words = parser.parse_args()
    with prepared(quick=words.quick, kinds=[]) as run:
        result = {"machine": facts(), "serving": [measure(run, words.live)]}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
