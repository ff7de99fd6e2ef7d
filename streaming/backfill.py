"""Backfill: the reports of a stretch of time, from somebody's recording, on the way that all reports take.

    recording ──► Stretch ──► feed (no lateness limit) ──► flight.reports ──► track ──► history ──► gaps marked filled

A gap is filled when history has positions of its source in it and the recording covers it: one that begins in the
middle of a gap fills a part, and the gap stays open. May be repeated: the tracker drops exact repeats, and history
keeps one row a flight and time.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from flight_platform.codec import unix_ms
from flight_platform.errors import FlightError
from flight_platform.history.progress import progress
from flight_platform.history.sql import query
from flight_platform.names import BACKFILL_SUFFIX
from flight_platform.settings import Settings
from flight_platform.watch.heartbeats import SourceFacts
from streaming import feed
from streaming.sources.base import Batch, Source, record_format

MARGIN: Final = timedelta(minutes=1)  # a recording may begin so much after a gap, and end so much before its end
_LOOK_S: Final = 0.5


class BackfillError(FlightError):
    """What was fed did not come into history in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a backfill has brought: reports within the stretch, what the recording covers, gaps that are filled now."""

    reports: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[int, ...]


class Stretch:
    """A recording without what lies outside of [begins, ends). Its reports keep the name of their source.

    The feed has a name of its own, so that nobody takes it for the source that is filled.
    """

    repeatable = True

    def __init__(self, recording: Source, begins: datetime, ends: datetime) -> None:
        self.name = recording.name[: 32 - len(BACKFILL_SUFFIX)] + BACKFILL_SUFFIX
        self.record_format = record_format(recording)
        self._recording = recording
        self._begins_ms, self._ends_ms = unix_ms(begins), unix_ms(ends)
        self.reports = 0
        self.first_ms: int | None = None  # of the whole recording
        self.last_ms: int | None = None

    def facts(self) -> SourceFacts:
        """It can be fed again."""
        return SourceFacts(repeatable=True)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The recording's batches, cut to the stretch. What cannot be decoded has no time and is nobody's gap."""
        for batch in self._recording.batches(stop):
            times = [position.time for position in batch.positions]
            if not times:
                continue
            self.first_ms = min(times) if self.first_ms is None else min(self.first_ms, *times)
            self.last_ms = max(times) if self.last_ms is None else max(self.last_ms, *times)
            inside = [i for i, at in enumerate(times) if self._begins_ms <= at < self._ends_ms]
            if inside:
                self.reports += len(inside)
                yield Batch(
                    positions=[batch.positions[i] for i in inside], originals=[batch.originals[i] for i in inside]
                )


def feed_stretch(settings: Settings, recording: Source, begins: datetime, ends: datetime) -> Stretch:
    """Feeds the stretch and returns when Kafka has it; in the main thread, as any feed."""
    stretch = Stretch(recording, begins, ends)
    feed.run(settings, stretch, backfill=True)
    return stretch


def wait_until_stored(
    settings: Settings, connection: psycopg.Connection[Any], fed_at: datetime, *, patience_s: float
) -> None:
    """Waits until history has what Kafka took before `fed_at`; raises BackfillError."""
    deadline = time.monotonic() + patience_s
    while True:
        read = progress(settings, connection)
        if read.until is not None and read.until >= fed_at:
            return
        if time.monotonic() > deadline:
            why = read.problem or "track or history is behind"
            raise BackfillError(
                f"not in history after {patience_s:g} s ({why}): see `flight status`, then run it again"
            )
        time.sleep(_LOOK_S)


def mark_filled(
    connection: psycopg.Connection[Any], source: str, begins: datetime, ends: datetime, stretch: Stretch
) -> Filled:
    """Marks the gaps within [begins, ends) that the recording covers and of which history has positions now."""
    first, last = _moment(stretch.first_ms), _moment(stretch.last_ms)
    gaps: tuple[int, ...] = ()
    if first is not None and last is not None:
        arguments = {
            "source": source,
            "begins": max(begins, first - MARGIN),
            "ends": min(ends, last + MARGIN),
        }
        gaps = tuple(gap_id for (gap_id,) in connection.execute(query("gaps_fill"), arguments).fetchall())
    return Filled(reports=stretch.reports, first=first, last=last, gaps=gaps)


def backfill(
    settings: Settings,
    recording: Source,
    begins: datetime,
    ends: datetime,
    *,
    patience_s: float = 600,
    step: Callable[[str], Any],
) -> Filled:
    """All three, each as a `step` (a context) for whoever shows progress."""
    url = settings.postgres_url.get_secret_value()
    with step(f"reports from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"):
        stretch = feed_stretch(settings, recording, begins, ends)
    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="backfill") as connection:
        with step(f"history takes {stretch.reports} reports"):
            if stretch.reports:
                wait_until_stored(settings, connection, datetime.now(UTC), patience_s=patience_s)
        return mark_filled(connection, recording.name, begins, ends, stretch)


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
