"""Exports: the track of one flight with many positions, in each format, beside what Postgres gives at most."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import psycopg

from bench.machine import say
from bench.measure import cpu_seconds
from bench.run import Run
from flight_platform.model import parse_flight_id

if TYPE_CHECKING:
    from bench.serving import Readers

FORMATS: Final = ("json", "geojson", "csv", "parquet", "gpx", "kml")
_COPY: Final = (
    "COPY (SELECT * FROM analytics.positions WHERE flight_key = {key} AND time >= to_timestamp({seen} - 5) "
    "AND time < to_timestamp({seen} + 129600) ORDER BY time) TO STDOUT (FORMAT csv)"
)
_TIMES: Final = 3


def measure(run: Run, answering: "Readers") -> list[dict[str, Any]]:
    """A row a way: Postgres's own COPY, the naive API, each format of ours."""
    key = parse_flight_id(answering.long)
    url = answering.settings.postgres_url.get_secret_value()
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM history.positions WHERE flight_id = %s", [key]).fetchone()
        positions = int(row[0]) if row else 0
        say(f"exports: a track of {positions:,} positions")

        def copy() -> int:
            with connection.cursor().copy(_COPY.format(key=key, seen=key & 0xFFFFFFFF).encode()) as copied:
                return sum(len(bytes(data)) for data in copied)

        found = [_row("limit: COPY as CSV, from Postgres itself", positions, copy, [answering.postgres], None)]
    number, port = answering.naive
    path = f"/v1/flights/{answering.long}/track"
    servers = [number, answering.postgres]
    found.append(_row("naive: JSON", positions, _fetch(f"http://127.0.0.1:{port}{path}"), servers, number))
    servers = [answering.history, answering.postgres]
    for form in FORMATS if not run.quick else FORMATS[:4]:
        fetch = _fetch(f"{answering.address('history')}{path}?format={form}")
        found.append(_row(f"ours: {form}", positions, fetch, servers, answering.history))
    limit = found[0]["positions_per_s"]
    return [{**row, "of_limit": row["positions_per_s"] / limit} for row in found]


def _fetch(url: str) -> Any:
    def fetch() -> int:
        with httpx.stream("GET", url, timeout=60) as answer:
            answer.raise_for_status()
            return sum(len(data) for data in answer.iter_raw())

    return fetch


def _row(name: str, positions: int, fetch: Any, servers: list[int], keeper: int | None) -> dict[str, Any]:
    """The quickest of some times, and how much the process that writes it grew meanwhile."""
    fetch()  # warm
    before = 0 if keeper is None else _peak(keeper, anew=True)
    took, used, size = [], sum(map(cpu_seconds, servers)), 0
    for _ in range(_TIMES):
        began = time.perf_counter()
        size = fetch()
        took.append(time.perf_counter() - began)
    used = sum(map(cpu_seconds, servers)) - used
    return {
        "way": name,
        "positions": positions,
        "positions_per_s": round(positions / min(took)),
        "MB": round(size / 1e6, 2),
        "cpu_us": round(used / _TIMES / positions * 1e6, 1),
        "grew_MB": None if keeper is None else round((_peak(keeper) - before) / 1e6, 1),
    }


def _peak(pid: int, *, anew: bool = False) -> int:
    """The most memory that a process has held, bytes; since now, where it is to begin anew."""
    if anew:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
