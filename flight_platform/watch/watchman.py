"""The watchman's round: one look at the data plane, and what follows from it.

    ops.heartbeats ──► freshness.look ──► alerts.settle ──► ops.incidents, ops.outbox, log
                             └──► gaps.record ──► ops.gaps

Dagster's sensor `heartbeats` is the watchman. While it is silent, the processes of the data plane stand in for it, so
that a stall which begins and ends meanwhile is an incident like any other, and what it lost a gap. Each of them looks
all the time (a row a process each five seconds) and so knows what has moved; they act only then, one at a time. While
Postgres is away, and Dagster with it, they look at files in its place (`alone.py`).
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import structlog

from flight_platform.settings import Settings
from flight_platform.watch import alerts, freshness, gaps, outbox
from flight_platform.watch.alerts import Changes
from flight_platform.watch.alone import LOOK_S, Alone
from flight_platform.watch.freshness import Memory, Sighting

log = structlog.get_logger()

STARTING_THRESHOLDS: Final = 4.0  # after a start of everything: Dagster takes longer than who would stand in for it
_LOCK: Final = 0x77617463686D616E  # advisory lock of whoever acts ("watchman" in ASCII)
_CONNECT_S: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was seen, and what has changed by it."""

    sighting: Sighting
    changes: Changes


def go_round(
    connection: psycopg.Connection[Any], settings: Settings, memory: Memory | None, *, now: datetime | None = None
) -> Round:
    """Looks, opens and closes incidents, and writes down what was lost; waits for whoever is about it. Commits."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        return _act(connection, settings, _look(connection, settings, memory, now))


def _look(
    connection: psycopg.Connection[Any], settings: Settings, memory: Memory | None, now: datetime | None
) -> Sighting:
    names = alerts.open_stalls(connection)
    return freshness.look(connection, memory, names, threshold_s=settings.stall_threshold_s, now=now)


def _act(connection: psycopg.Connection[Any], settings: Settings, sighting: Sighting) -> Round:
    stalls = [alerts.Alert.of(stall) for stall in sighting.stalls]
    changes = alerts.settle(connection, stalls, alerts.receivers(settings))
    gaps.record(connection, sighting, threshold_s=settings.stall_threshold_s)
    return Round(sighting=sighting, changes=changes)


class Deputy:
    """What each process of the data plane does for a watchman that is silent. For one thread: that of its heartbeat."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._starting_s = STARTING_THRESHOLDS * settings.stall_threshold_s
        self._started_at = self._look_at = clock()
        self._memory: Memory | None = None
        self._processes: dict[str, int] = {}
        self._alone = Alone(settings)
        self._alone_at = clock()
        self._stands_in = False
        self._telling: threading.Thread | None = None
        self._told_at = float("-inf")

    def look(
        self, connection: psycopg.Connection[Any], silent_s: float | None, *, now: datetime | None = None
    ) -> Round | None:
        """Looks where it is time to. `silent_s`: since the watchman's last word, None where there never was one.

        Answers with the round where this process acted. Raises psycopg.Error where Postgres does not answer.
        """
        if self._clock() < self._look_at:
            return None
        self._look_at = self._clock() + LOOK_S
        absent = silent_s is not None and silent_s > self._settings.stall_threshold_s
        self._alone.over(connection)
        self._say(stands_in=absent and self._clock() - self._started_at >= self._starting_s)
        with connection.transaction():
            acts = self._stands_in and _may_act(connection)
            sighting = _look(connection, self._settings, self._memory, now)
            self._memory = sighting.memory
            self._processes = {name: hop.processes for name, hop in sighting.hops.items()}
            done = _act(connection, self._settings, sighting) if acts else None
        if done is not None:
            self._tell()
        return done

    def look_alone(self, row: Mapping[str, Any], ended: bool, *, now: datetime | None = None) -> None:
        """In place of `look` where Postgres does not take the row of this process, or it ends on purpose meanwhile."""
        now = now or datetime.now(UTC)
        self._alone.tell(row, now, ended=ended)
        if ended or self._clock() < self._alone_at:
            return
        self._alone_at = self._clock() + LOOK_S
        known = self._memory is not None or self._alone.is_on
        if known or self._clock() - self._started_at >= self._starting_s:  # else it is too early to miss anybody
            self._alone.look(self._memory, self._processes, now)

    def _say(self, *, stands_in: bool) -> None:
        if stands_in and not self._stands_in:
            log.warning("standing_in_for_dagster", hint="it does not look at the heartbeats: see DagsterDown")
        elif self._stands_in and not stands_in:
            log.info("dagster_looks_again")
        self._stands_in = stands_in

    def _tell(self) -> None:
        """In a thread of its own: a receiver that hangs must not keep this process from beating."""
        if alerts.receivers(self._settings) and not (self._telling and self._telling.is_alive()):
            again = self._clock() - self._told_at >= outbox.RESEND_S
            self._told_at = self._clock() if again else self._told_at
            self._telling = threading.Thread(target=_tell, args=(self._settings, again), name="tell", daemon=True)
            self._telling.start()


def _may_act(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone()
    return bool(row and row[0])


def _tell(settings: Settings, again: bool) -> None:
    try:
        url = settings.postgres_url.get_secret_value()
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            outbox.tell(connection, settings, again=again)
    except psycopg.Error as error:
        log.warning("telling_failed", problem=str(error).strip())
