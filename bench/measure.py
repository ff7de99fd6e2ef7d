"""How things are compared: taken in turn, several rounds, medians; wall time and processor time of all who worked.

A ratio is taken within a round, between neighbours in time, and its median is told: what else this machine does then
hits both. What is measured does not belong here.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, Literal

Role = Literal["limit", "naive", "ours"]
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values does not exceed (nearest rank); NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and of all below it, those that have ended included; 0 where it is gone."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        number = int(folder.name)
        children.setdefault(int(fields[1]), []).append(number)
        used[number] = sum(map(int, fields[11:15]))  # utime, stime, and both of the children that were waited for
    total, below = 0, [pid]
    while below:
        number = below.pop()
        total += used.get(number, 0)
        below += children.get(number, [])
    return total / _TICKS_A_SECOND


@dataclass(slots=True)
class Sample:
    """One run of one way: how many reports in which time, and what it cost here and in the servers."""

    reports: int
    seconds: float = 0.0
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        return self.reports / self.seconds if self.seconds else math.nan

    @property
    def client_us(self) -> float:
        return self.client_cpu_s / self.reports * 1e6

    @property
    def server_us(self) -> float:
        return self.server_cpu_s / self.reports * 1e6


@contextmanager
def clocked(reports: int, servers: Sequence[int] = (), clients: Sequence[int] | None = None) -> Iterator[Sample]:
    """Times the body. `servers` and `clients` are processes; without clients it is this one (all of its threads)."""

    def client_cpu() -> float:
        return time.process_time() if clients is None else sum(map(cpu_seconds, clients))

    sample = Sample(reports)
    server, client, began = sum(map(cpu_seconds, servers)), client_cpu(), time.perf_counter()
    yield sample
    sample.seconds = time.perf_counter() - began
    sample.client_cpu_s = client_cpu() - client
    sample.server_cpu_s = sum(map(cpu_seconds, servers)) - server


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do a thing."""

    name: str
    role: Role
    run: Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way came to over all rounds."""

    name: str
    role: Role
    rate: float  # reports/s
    of_limit: float | None
    of_naive: float | None
    client_us: float
    server_us: float
    rates: list[float] = field(default_factory=list)  # of each round, so that anyone sees the noise


def alternate(ways: Sequence[Way], rounds: int) -> list[Outcome]:
    """Runs all ways once a round, each round beginning with another; the first limit and the first naive count."""
    samples: dict[str, list[Sample]] = {way.name: [] for way in ways}
    for number in range(rounds):
        start = number % len(ways)
        for way in [*ways[start:], *ways[:start]]:
            samples[way.name].append(way.run())
    return outcomes(ways, samples)


def outcomes(ways: Sequence[Way], samples: dict[str, list[Sample]]) -> list[Outcome]:
    """Medians, and ratios within a round."""
    first = {role: next((way.name for way in ways if way.role == role), None) for role in ("limit", "naive")}

    def ratio(name: str, other: str | None) -> float | None:
        if other is None:
            return None
        return median(a.rate / b.rate for a, b in zip(samples[name], samples[other], strict=True))

    return [
        Outcome(
            name=way.name,
            role=way.role,
            rate=median(sample.rate for sample in samples[way.name]),
            of_limit=ratio(way.name, first["limit"]),
            of_naive=ratio(way.name, first["naive"]),
            client_us=median(sample.client_us for sample in samples[way.name]),
            server_us=median(sample.server_us for sample in samples[way.name]),
            rates=[round(sample.rate) for sample in samples[way.name]],
        )
        for way in ways
    ]
