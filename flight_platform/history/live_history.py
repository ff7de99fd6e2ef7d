"""Live against history for the last minute: two stores, fed by two consumers from one log, must know the same flights.

What is younger than `settled_s` is on its way and left out. One look may come between two writes, so a difference
counts only when a second look, some seconds later, still finds it.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from flight_platform import kafka
from flight_platform.history.sql import query
from flight_platform.live.client import LiveReader
from flight_platform.settings import Settings

_SECOND_LOOK_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Flights of the last minute that both know, and those that one of them lacks or knows an older report of."""

    flights: int
    not_live: tuple[int, ...]
    not_in_history: tuple[int, ...]
    problem: str = ""  # why it could not be told

    @property
    def share(self) -> float:
        """Of the flights, how many both agree upon; 1 where there is none."""
        different = len({*self.not_live, *self.not_in_history})
        return 1 - different / self.flights if self.flights else 1.0


def agreement(settings: Settings, connection: psycopg.Connection[Any], *, settled_s: float) -> Agreement:
    """Looks at both, and again where they differ."""
    first = _look(settings, connection, settled_s)
    if first.problem or not (first.not_live or first.not_in_history):
        return first
    time.sleep(_SECOND_LOOK_S)
    second = _look(settings, connection, settled_s)
    return Agreement(
        flights=second.flights,
        not_live=tuple(flight for flight in second.not_live if flight in first.not_live),
        not_in_history=tuple(flight for flight in second.not_in_history if flight in first.not_in_history),
        problem=second.problem,
    )


def compare(
    live: Mapping[int, int], history: Mapping[int, int], settled: Mapping[int, int], *, before_ms: int, since_ms: int
) -> Agreement:
    """Newest time by flight (Unix ms) in both; `settled` is history's newest before `before_ms`. Pure.

    Live lacks what history settled within the window; history lacks what live shows of before `before_ms`.
    """
    return Agreement(
        flights=len(live.keys() | settled.keys()),
        not_live=tuple(sorted(f for f, at in settled.items() if at > since_ms and live.get(f, 0) < at)),
        not_in_history=tuple(sorted(f for f, at in live.items() if at <= before_ms and history.get(f, 0) < at)),
    )


def _look(settings: Settings, connection: psycopg.Connection[Any], settled_s: float) -> Agreement:
    before_ms = kafka.now_ms() - round(settled_s * 1000)
    answer = asyncio.run(_all_live(settings))
    # What is about to leave the window may be gone from live already.
    since_ms = kafka.now_ms() - round((settings.live_window_s - settled_s) * 1000)
    if answer is None:
        return Agreement(
            flights=0, not_live=(), not_in_history=(), problem="the live store did not answer for all flights"
        )
    rows = connection.execute(query("live_history"), {"since_ms": since_ms, "before_ms": before_ms}).fetchall()
    return compare(
        answer,
        {flight: newest for flight, newest, _ in rows},
        {flight: settled for flight, _, settled in rows if settled is not None},
        before_ms=before_ms,
        since_ms=since_ms,
    )


async def _all_live(settings: Settings) -> dict[int, int] | None:
    """Newest time by flight; None where a server or a consumer is away: that is the matter of freshness."""
    reader = LiveReader(settings)
    try:
        answer = await reader.all()
    finally:
        await reader.close()
    if answer.partial:
        return None
    return {position.flight_id: position.time for position in answer.positions if position.flight_id is not None}
