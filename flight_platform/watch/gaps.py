"""Gaps: stretches of event time that are lost for good, written to `ops.gaps` as they are seen.

    a source that cannot repeat was away   stalled, or its feed was dead, or stopped on purpose; what nobody has looked
                                           at is written by the feed itself (`heartbeats.py`)
    a feed's disk overflowed               Kafka was away for longer than it holds (`streaming/spool.py`)
    records expired unread in Kafka        written by history itself (`offsets.py`)

A source that can be asked again loses nothing. `ops.sources` remembers how far each one had come, so that a gap is also
found where nobody was missed: a feed that was stopped on purpose opens no incident, and leaves a gap all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from flight_platform.history.sql import query
from flight_platform.names import Stage
from flight_platform.watch.freshness import Cause, Hop, Sighting

_LOST_BY: Final = {Cause.SOURCE_STALLED: "source_away", Cause.FEED_DEAD: "feed_away"}
_REASONS: Final = {
    "source_away": "the source gave nothing, and cannot give it later",
    "feed_away": "no feed was there to take what the source gave",
    "overflowed": "Kafka was away for longer than the feed's disk holds: the oldest reports went",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How far a source had come when it was last seen."""

    clock: datetime | None
    watermark: datetime | None
    overflowed: int
    seen_at: datetime


def record(connection: psycopg.Connection[Any], sighting: Sighting, *, threshold_s: float) -> None:
    """Opens the gaps that begin, closes those that end, and remembers how far each source has come."""
    feeds = [hop for hop in sighting.hops.values() if hop.stage is Stage.FEED]
    if not feeds:
        return
    lost = {stall.source: _LOST_BY[stall.cause] for stall in sighting.stalls if stall.cause in _LOST_BY}
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        known = {
            row["source"]: Known(**{k: v for k, v in row.items() if k != "source"})
            for row in cursor.execute(query("sources_known")).fetchall()
        }
        for feed in feeds:
            before = known.get(feed.source)
            if feed.repeatable is False:
                _look_at(cursor, feed, before, lost.get(feed.source), threshold_s)
            if feed.alive:
                cursor.execute(query("sources_remember"), _facts(feed, sighting.now))


def _look_at(cursor: Any, feed: Hop, before: Known | None, cause: str | None, threshold_s: float) -> None:
    clock, watermark = _moment(feed.source_clock), _moment(feed.watermark)
    told = before.clock if before else None
    if cause is not None and (not feed.alive or clock is None or told is None or clock <= told):
        _open(cursor, feed, cause, max((t for t in (told, clock) if t is not None), default=None))
        return
    if before is None or not feed.alive:
        return
    if clock is not None and before.clock is not None and clock > before.clock:
        closed = _close(cursor, feed, ("source_away", "feed_away"), clock)
        began = _moment(feed.started_at)
        restarted = began is not None and began > before.seen_at
        if not closed and restarted and (clock - before.clock).total_seconds() > threshold_s:
            ends = began if began is not None and before.clock < began < clock else clock
            _open(cursor, feed, "feed_away", before.clock, ends)
    if feed.counters.get("overflowed", 0) > before.overflowed:
        _open(cursor, feed, "overflowed", watermark or before.watermark)
    elif watermark is not None and before.watermark is not None and watermark > before.watermark:
        _close(cursor, feed, ("overflowed",), watermark)


def _open(cursor: Any, feed: Hop, cause: str, begins: datetime | None, ends: datetime | None = None) -> None:
    if begins is None:  # it has never given anything: nobody can say from when on something is missing
        return
    hop = Stage.SOURCE if cause == "source_away" else Stage.FEED
    arguments = {"hop": hop, "source": feed.source, "cause": cause, "reason": _REASONS[cause]}
    cursor.execute(query("gaps_open"), arguments | {"from_time": begins, "to_time": ends})


def _close(cursor: Any, feed: Hop, causes: tuple[str, ...], ends: datetime) -> bool:
    arguments = {"source": feed.source, "causes": list(causes), "to_time": ends}
    return bool(cursor.execute(query("gaps_close"), arguments).rowcount)


def _facts(feed: Hop, now: datetime) -> dict[str, Any]:
    return {
        "source": feed.source,
        "repeatable": feed.repeatable is not False,
        "clock": _moment(feed.source_clock),
        "watermark": _moment(feed.watermark),
        "overflowed": feed.counters.get("overflowed", 0),
        "seen_at": now,
    }


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
