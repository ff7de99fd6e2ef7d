"""Latency as a reader sees it: from a report's `received_at` to the first look that finds it in a store.

Two threads look at a part of the fleet, the probes, one at the live server and one at Postgres, again and again with
short pauses. What they ask for is what is due by the fleet's schedule and has not been seen. So a latency is too long
by up to one look (told as `look_ms`), never too short. A report that a newer one has overtaken in the live store was
visible with that one: it counts from when it was due, so that a stall is not told by its last report alone.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from bench.feed import FeedRun
from bench.live import client_of
from bench.measure import percentile
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import now_ms
from flight_platform.model import format_flight_id, make_flight_id
from flight_platform.names import COLLECTION_FLIGHTS

_PAUSE_S = 0.005
_PROBES = 200
_IN_HISTORY = """
SELECT p.flight_id, (extract(epoch FROM p.time) * 1000)::int8, (extract(epoch FROM p.received_at) * 1000)::int8
FROM unnest(%s::int8[], %s::int8[]) AS wanted (flight_id, time_ms)
INNER JOIN history.positions AS p
    ON p.flight_id = wanted.flight_id AND p.time = to_timestamp(wanted.time_ms / 1000.0)
"""

# A probe's report: its flight, when it is due by the schedule.
Due = tuple[int, int]
# What was found of a report: its own time and received_at.
Found = dict[int, tuple[int, int]]
Look = Callable[[list[Due]], dict[Due, int]]


@dataclass(slots=True)
class Seen:
    """Latencies in one store, milliseconds, and how it was looked at."""

    latencies_ms: list[float] = field(default_factory=list)
    pauses_ms: list[float] = field(default_factory=list)  # from one look's end to the next one's
    missing: int = 0  # never seen: counted with the time for which they were waited for

    def summary(self) -> dict[str, float | int]:
        """Percentiles; the resolution."""
        told = {name: percentile(self.latencies_ms, share) for name, share in _SHARES.items()}
        return {
            **{name: round(value, 1) for name, value in told.items()},
            "samples": len(self.latencies_ms),
            "missing": self.missing,
            "look_ms": round(percentile(self.pauses_ms, 0.5), 1),
            "look_p99_ms": round(percentile(self.pauses_ms, 0.99), 1),
        }


_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


class Observer(threading.Thread):
    """Looks at one store until all probes have been seen, or `give_up` is set."""

    def __init__(self, name: str, schedule: list[Due], look: Look) -> None:
        super().__init__(name=name, daemon=True)
        self.seen = Seen()
        self.give_up = threading.Event()
        self.problem: Exception | None = None
        self._schedule, self._look = schedule, look

    def run(self) -> None:
        try:
            self._watch()
        except Exception as error:
            self.problem = error

    def _watch(self) -> None:
        coming, waiting = 0, dict.fromkeys(self._schedule[:0])
        looked = time.perf_counter()
        while (waiting or coming < len(self._schedule)) and not self.give_up.is_set():
            now = now_ms()
            while coming < len(self._schedule) and self._schedule[coming][1] <= now:
                waiting[self._schedule[coming]] = None
                coming += 1
            if waiting:
                for due, received_ms in self._look(list(waiting)).items():
                    self.seen.latencies_ms.append(now_ms() - received_ms)
                    del waiting[due]
            self.seen.pauses_ms.append((time.perf_counter() - looked) * 1000)
            looked = time.perf_counter()
            time.sleep(_PAUSE_S)
        # What was never seen took at least until now: to leave it out would flatter.
        self.seen.latencies_ms += [now_ms() - due_ms for _, due_ms in waiting]
        self.seen.missing = len(waiting) + len(self._schedule) - coming


def schedule(feeding: FeedRun, aircraft: int, first_tick: int) -> list[Due]:
    """The probes' reports from a tick on, in the order in which they are due."""
    numbers = range(0, aircraft, max(aircraft // _PROBES, 1))
    flights = {}
    for number in numbers:
        phase_ms = number * 1000 // aircraft
        born_ms = feeding.start_ms + phase_ms
        flights[make_flight_id(feeding.first_address + number, born_ms // 1000)] = born_ms
    reports = [
        (flight_id, born_ms + tick * 1000)
        for tick in range(first_tick, feeding.ticks)
        for flight_id, born_ms in flights.items()
    ]
    return sorted(reports, key=lambda due: due[1])


class LiveLook:
    """Asks the live servers for the flights that are waited for, all in one round trip each."""

    def __init__(self, servers: list[EmbeddedLive]) -> None:
        self._clients = [client_of(server) for server in servers]

    def __call__(self, waiting: list[Due]) -> dict[Due, int]:
        flights = list(dict.fromkeys(flight_id for flight_id, _ in waiting))
        found: Found = {}
        for client in self._clients:
            pipe = client.pipeline(transaction=False)
            for flight_id in flights:
                pipe.execute_command("GET", COLLECTION_FLIGHTS, format_flight_id(flight_id), "WITHFIELDS", "POINT")  # type: ignore[no-untyped-call]
            for flight_id, item in zip(flights, pipe.execute(), strict=True):
                if item is not None:
                    fields = dict(zip(item[1][::2], item[1][1::2], strict=True))
                    times = int(fields[b"time"]), int(fields[b"received_at"])
                    found[flight_id] = max(found.get(flight_id, times), times)
        return visible(waiting, found)


def visible(waiting: list[Due], found: Found) -> dict[Due, int]:
    """Of what is waited for, what is there or has been overtaken, each with the time from which it counts."""
    there = {}
    for flight_id, due_ms in waiting:
        time_ms, received_ms = found.get(flight_id, (0, 0))
        if time_ms == due_ms:
            there[flight_id, due_ms] = received_ms
        elif time_ms > due_ms:
            there[flight_id, due_ms] = due_ms
    return there


class HistoryLook:
    """Asks Postgres for the rows that are waited for."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def __call__(self, waiting: list[Due]) -> dict[Due, int]:
        flights, times = zip(*waiting, strict=True)
        rows = self._connection.execute(_IN_HISTORY, [list(flights), list(times)], prepare=True).fetchall()
        return {(flight_id, time_ms): received_ms for flight_id, time_ms, received_ms in rows}
