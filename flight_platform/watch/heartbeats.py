"""Heartbeats: the row that each always-on process leaves in `ops.heartbeats` once a second.

They are how the control plane sees the data plane: consumers know nothing of Dagster. A heartbeat that cannot be
written (Postgres is down) is no reason to stop: it is said once and tried again.

What depends on nobody but the process itself is told in its metrics at the same time: whether Postgres takes the row,
and how long ago the control plane looked. So Prometheus sees what Dagster cannot.
"""

import json
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files

import psycopg
import structlog

from flight_platform.names import BACKFILL_SUFFIX, Stage
from flight_platform.settings import Settings
from flight_platform.telemetry import DEPENDENCY_UP, SOURCE_WATERMARK, WATCHMAN_AGE
from flight_platform.watch.holes import Holes
from flight_platform.watch.standstill import Standstill

log = structlog.get_logger()

_UPSERT = (files("flight_platform") / "sql/queries/heartbeat.sql").read_text()
_NOTE_GAP = (files("flight_platform") / "sql/queries/gaps_note.sql").read_text()
_NOTE_LISTENING = (files("flight_platform") / "sql/queries/listening_note.sql").read_text()
_DELETE = "DELETE FROM ops.heartbeats WHERE stage = %(stage)s AND instance = %(instance)s AND source = %(source)s"
BEAT_S = 1.0
PATIENCE_PERIODS = 2.0  # a source that gives something each minute is not silent before two have passed
LISTENING_S = 60.0  # how often a feed writes down that it listens, beside its heartbeat: a successor overwrites that


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a feed knows of its source at the moment.

    repeatable: whether it can be asked again for what was missed; period_s: how often it gives something; concerns:
    what a person has to see to, by kind (credits, credentials), in words.
    """

    repeatable: bool | None = None
    period_s: float | None = None
    concerns: Mapping[str, str] = field(default_factory=dict)


class Heartbeat:
    """What one process says of itself. Set the fields from the working thread; a thread of its own writes them.

    watermark_ms: newest event time that this process has passed on; source_clock_ms: newest time that the source itself
    has told (so that a quiet sky is not a stall); watermarks_ms: of a consumer, the newest event time that it has
    taken, by source; lag_records: what waits in Kafka; partitions: where it is in each of them; unread: where its stage
    is in all that there are, seen from outside (`unread.py`); counts: totals by outcome; about_source: asked at each
    beat, in the beat's thread; then: called after each beat, there too, with its connection and the seconds since the
    watchman's last word (None: there never was one); instead: called there with the row that Postgres did not take, and
    `ended` where the process ends on purpose meanwhile. holes: what a source left out and nobody has written down.
    """

    def __init__(self, settings: Settings, stage: Stage, *, source: str = "") -> None:
        self.stage, self.source, self.instance = stage, source, settings.instance
        self.watermark_ms: int | None = None
        self.source_clock_ms: int | None = None
        self.watermarks_ms: dict[str, int] = {}
        self.lag_records: int | None = None
        self.partitions, self.unread = Standstill(), Standstill(outside=True)
        self.counts: Counter[str] = Counter()
        self.note = "starting"
        self.metrics_port: int | None = None
        self.about_source: Callable[[], SourceFacts] = SourceFacts
        self.then: Callable[[psycopg.Connection, float | None], object] = lambda _connection, _watchman_age_s: None
        self.instead: Callable[[Mapping[str, object], bool], object] = lambda _row, _ended: None
        self._url = settings.postgres_url.get_secret_value()
        self._started_at = datetime.now(UTC)
        self._threshold_s, self._heard_at_s = settings.stall_threshold_s, time.monotonic()
        self.holes = Holes()
        self._noted_at = time.monotonic()
        self._stop = threading.Event()
        self._on_purpose = True
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def hear(self, clock_ms: int, *, at_s: float | None = None) -> None:
        """The source has told this time. What it left out before, and cannot give later, waits in `holes` for Postgres.

        So it is known whether or not somebody has looked meanwhile. Silence is told by both clocks: one that is set
        right leaves nothing out. `at_s` is monotonic.
        """
        at_s = time.monotonic() if at_s is None else at_s
        before_ms, silent_s = self.source_clock_ms, at_s - self._heard_at_s
        if before_ms is not None and clock_ms <= before_ms:
            return
        self.source_clock_ms, self._heard_at_s = clock_ms, at_s
        if before_ms is None or min(silent_s, (clock_ms - before_ms) / 1000) <= self._threshold_s:
            return
        facts = self.about_source()
        if facts.repeatable is False and silent_s > PATIENCE_PERIODS * (facts.period_s or 0.0):
            self.holes.add(before_ms, clock_ms)

    def start(self) -> None:
        """Starts to beat."""
        self._thread.start()

    def stop(self, *, on_purpose: bool = True) -> None:
        """Stops. A process that ended on purpose takes its row away and is not missed; one that failed leaves it."""
        self._on_purpose = on_purpose
        self._stop.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        connection: psycopg.Connection | None = None
        reported = False
        while not self._stop.is_set():
            self._tell_sources()
            try:
                if connection is None:
                    connection = psycopg.connect(
                        self._url,
                        autocommit=True,
                        connect_timeout=3,
                        application_name=f"{self.instance} heartbeat",
                    )
                self._note_holes(connection)
                if time.monotonic() - self._noted_at >= LISTENING_S:
                    self._note_listening(connection)
                watchman_age_s = self._tell(connection.execute(_UPSERT, self._row()).fetchone())
                self._guarded(partial(self.then, connection, watchman_age_s))
                reported = False
            except psycopg.Error as error:
                if not reported:
                    log.warning("heartbeat_failed", problem=str(error).strip())
                reported = True
                DEPENDENCY_UP.labels("postgres").set(0)
                WATCHMAN_AGE.set(math.nan)  # nobody knows
                if connection is not None:
                    connection.close()
                connection = None
                self._guarded(partial(self.instead, self._row(), False))
            self._stop.wait(BEAT_S)
        if connection is not None:
            with suppress(psycopg.Error), connection:
                self._note_listening(connection)
                if self._on_purpose:
                    connection.execute(_DELETE, {"stage": self.stage, "instance": self.instance, "source": self.source})
        elif self._on_purpose:
            self._guarded(partial(self.instead, self._row(), True))

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except psycopg.Error:
            raise
        except Exception:  # whatever it is: a process that does not beat any more counts as dead
            log.exception("after_heartbeat_failed")

    def _note_holes(self, connection: psycopg.Connection) -> None:
        while (hole := self.holes.first()) is not None:
            stretch = {"from_time": _moment(hole.from_ms), "to_time": _moment(hole.to_ms), "reason": hole.reason}
            connection.execute(_NOTE_GAP, stretch | {"source": self.source, "silence_s": self._threshold_s})
            self.holes.remove(hole)

    def _note_listening(self, connection: psycopg.Connection) -> None:
        """Of a feed: until when it has heard its source. A backfill's is a recording: it does not tell who listened."""
        self._noted_at = time.monotonic()
        if self.stage is Stage.FEED and self.source_clock_ms is not None and not self.source.endswith(BACKFILL_SUFFIX):
            connection.execute(_NOTE_LISTENING, self._row())

    def _tell_sources(self) -> None:
        """How far this hop is with each source, in the metrics: of a feed, with its own."""
        told: list[tuple[str, str, int | None]] = [(self.stage, *mark) for mark in dict(self.watermarks_ms).items()]
        if self.source:
            told += [(Stage.SOURCE, self.source, self.source_clock_ms), (self.stage, self.source, self.watermark_ms)]
        for stage, source, time_ms in told:
            if time_ms is not None:
                SOURCE_WATERMARK.labels(stage, source).set(time_ms / 1000)

    def _tell(self, answer: tuple[float | None] | None) -> float | None:
        DEPENDENCY_UP.labels("postgres").set(1)
        age_s = answer[0] if answer else None
        WATCHMAN_AGE.set(math.inf if age_s is None else age_s)
        return age_s

    def _row(self) -> dict[str, object]:
        facts = self.about_source()
        return {
            "stage": self.stage,
            "instance": self.instance,
            "source": self.source,
            "started_at": self._started_at,
            "watermark": _moment(self.watermark_ms),
            "source_clock": _moment(self.source_clock_ms),
            "watermarks": json.dumps(dict(self.watermarks_ms)),
            "lag_records": self.lag_records,
            "counters": json.dumps(dict(self.counts)),
            "rss_bytes": resident_bytes(),
            "metrics_port": self.metrics_port,
            "note": self.note,
            "pid": os.getpid(),
            "repeatable": facts.repeatable,
            "period_s": facts.period_s,
            "concerns": json.dumps({**facts.concerns, **self.partitions.concerns(), **self.unread.concerns()}),
        }


def _moment(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC)


def resident_bytes() -> int:
    """Resident memory of this process, bytes (Linux)."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
