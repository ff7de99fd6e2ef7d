"""The watch of one machine while Postgres is away: heartbeats in files, judged by the same rules.

    each process ──► outage/beats ──► freshness.judge ──► outage/events ──► ops.incidents, when Postgres is back

A hop is judged by those who see all of it: where some of its processes run on other machines, nobody says anything of
it. Gaps are not written here: what a source left out its feed knows by itself (`holes.py`).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import psycopg
import structlog

from flight_platform.names import BACKFILL_SUFFIX, Stage
from flight_platform.settings import Settings
from flight_platform.watch import alerts, freshness
from flight_platform.watch.alerts import Alert, Event
from flight_platform.watch.freshness import Beat, Memory
from flight_platform.watch.outage import Outage, State, folder_of

log = structlog.get_logger()

LOOK_S: Final = 5.0
_OF_FEEDS: Final = frozenset({Stage.SOURCE, Stage.FEED})


class Alone:
    """One process's part in it. A folder that cannot be written is said once: then nobody looks."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._outage = settings, Outage(folder_of(settings))
        self._row: Mapping[str, Any] | None = None  # what this process has left in the files
        self._failed = False

    def tell(self, row: Mapping[str, Any], now: datetime, *, ended: bool = False) -> None:
        """Leaves the row of this process's heartbeat in the files; takes it away where it `ended` on purpose."""
        try:
            if ended:
                self._outage.remove_beat(row)
            else:
                self._outage.write_beat(row, now)
                self._row = row
        except OSError as error:
            self._say(error)

    @property
    def is_on(self) -> bool:
        """Whether somebody has looked so already."""
        return self._outage.is_on

    def look(self, memory: Memory | None, processes: Mapping[str, int], now: datetime) -> None:
        """Looks at the files of all, unless another process has just done so.

        `memory` and `processes` (of each hop) are those of this process's last look at Postgres: where an outage
        begins, they are gone on from.
        """
        try:
            with self._outage.alone() as is_alone:
                if is_alone:
                    self._judge(memory, processes, now)
        except OSError as error:
            self._say(error)

    def over(self, connection: psycopg.Connection[Any]) -> None:
        """Postgres is there: it is told what was seen without it."""
        try:
            if self._row is not None:
                self._outage.remove_beat(self._row)
                self._row, self._failed = None, False
            if self._outage.is_on:
                with self._outage.alone() as is_alone:
                    if is_alone:
                        self._catch_up(connection)
        except OSError as error:
            self._say(error)

    def _catch_up(self, connection: psycopg.Connection[Any]) -> None:
        events = self._outage.events()
        try:
            alerts.catch_up(connection, events, alerts.receivers(self._settings))
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise  # it is away again
        except psycopg.Error:  # a defect: it must not keep this process from beating for ever
            log.exception("what_was_seen_without_postgres_is_refused")
            self._outage.set_aside()
        self._outage.end()
        log.info("postgres_is_told_what_was_seen_without_it", events=len(events))

    def _judge(self, memory: Memory | None, processes: Mapping[str, int], now: datetime) -> None:
        at, state = now.timestamp(), self._outage.state()
        if state is None:
            names = [] if memory is None else list(memory.open_names)
            state = State(began_at=at - 2 * LOOK_S, memory=memory, processes=dict(processes), open_names=names)
            log.warning("watching_without_postgres")
        elif state.memory is not None and 0 <= at - state.memory.at < LOOK_S:
            return
        beats = [beat for beat in self._outage.beats(state.began_at) if not beat.source.endswith(BACKFILL_SUFFIX)]
        before, here = set(state.open_names), _whole(beats, state.processes)
        sighting = freshness.judge(beats, state.memory, before, threshold_s=self._settings.stall_threshold_s, now=now)
        found = {stall.name: Alert.of(stall) for stall in sighting.stalls if _hop_of(stall.name) in here}
        over = {name for name in before - found.keys() if _hop_of(name) in here}
        opened = [alert for name, alert in sorted(found.items()) if name not in before]
        self._outage.write_events(
            [
                *(Event(at=now, key=f"{alerts.STALL}:{name}", alert=None) for name in sorted(over)),
                *(Event(at=now, key=alert.key, alert=alert) for alert in opened),
            ]
        )
        for alert in opened:
            alerts.say_opened(alert)
        state.open_names, state.memory = sorted(before - over | found.keys()), sighting.memory
        self._outage.write_state(state)

    def _say(self, error: OSError) -> None:
        if not self._failed:
            log.warning("nobody_watches_without_postgres", problem=str(error))
        self._failed = True


def _whole(beats: list[Beat], processes: Mapping[str, int]) -> set[str]:
    """The hops of which all processes tell here."""
    here = Counter(f"{beat.stage}:{beat.source}" if beat.source else beat.stage for beat in beats)
    return {name for name, count in here.items() if count >= processes.get(name, 1)}


def _hop_of(name: str) -> str:
    """Whose heartbeats tell of a hop: its own, of a source its feed's, of a source at a consumer the consumer's."""
    stage, _, source = name.partition(":")
    return f"{Stage.FEED}:{source}" if stage in _OF_FEEDS else stage
