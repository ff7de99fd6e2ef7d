"""Freshness: which hop of the data plane has stopped, told from the heartbeats alone.

    source ──► feed (one pair a source) ──► track ──► live
                                                  └──► history

`judge` is pure: heartbeats, a clock and what was remembered of the last look go in, stalls come out. `look` fetches
the heartbeats. What is done about a stall is `alerts.py`'s matter; who looks, and how often, is the caller's.

A hop is good while it *moves*; how old its times are says nothing (a recording tells of last year). A hop is named
only for what it does itself: a source counts as long as its feed is in order, and a consumer has to keep up with what
the hop before it passes on. So one cause has one name, the most upstream.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from flight_platform.history.sql import query
from flight_platform.names import BACKFILL_SUFFIX, NOTE_HOLDING, TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.watch import standstill
from flight_platform.watch.heartbeats import PATIENCE_PERIODS, resident_bytes
from flight_platform.watermarks import advance

ALIVE_S: Final = 5.0  # a process that has not beaten for so long (it does each second) passes nothing on
WATCHMAN: Final = "dagster"  # stage of the row that the one who looks leaves
KEEP_LISTENING: Final = timedelta(days=90)
KEEP_DEAD: Final = timedelta(minutes=5)  # how long the row of a dead process with a living successor is kept
_GOODS_TO_CLOSE: Final = 2  # signs of life in a row before the all-clear: one report a minute is no recovery
_UNSEEN_S: Final = 30.0  # a look that comes so late on a busy machine still continues the last one
_LOOK_S: Final = 5.0  # how often a look is taken; what happened between two is dated half-way
_PASSED_ON: Final = "passed"  # not a hop: what is known to be in flight.positions, for the memory alone
_DEAD: Final = "its process does not answer: killed, hung, or cut off from Postgres"
_NOTES_IN_WAIT: Final = {
    "starting": "it has been starting all the time; does Kafka answer?",
    "waiting for Kafka": "Kafka does not take its reports",
    NOTE_HOLDING: "it holds them while topics grow; `flight topics grow` ends a growth that was interrupted",
}
_NOTES_OF_STORES: Final = ("waiting for Postgres", "live servers away")  # how the notes of consumers begin that wait


Standing = Mapping[str, Mapping[int, float]]  # by topic: partitions that stand still, and since when


class Cause(StrEnum):
    """Why a hop stands still, as one word: the closed list by which alerts are grouped."""

    SOURCE_STALLED = "source_stalled"
    FEED_DEAD = "feed_dead"
    KAFKA_UNREACHABLE = "kafka_unreachable"
    TRACKER_DEAD = "tracker_dead"
    CONSUMER_DEAD = "consumer_dead"  # live or history
    STORE_UNREACHABLE = "store_unreachable"
    LAG_GROWING = "lag_growing"
    CONSUMER_STUCK = "consumer_stuck"  # alive, its store too, and it takes nothing
    SOURCE_BEHIND = "source_behind"  # a consumer goes on, and of one source it takes nothing
    PARTITION_STUCK = "partition_stuck"  # a hop goes on, and nothing comes of one of its partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A row of `ops.heartbeats`."""

    stage: str
    instance: str
    source: str = ""
    started_at: datetime
    beat_at: datetime
    watermark: datetime | None = None
    watermarks: Mapping[str, int] = field(default_factory=dict)  # Unix milliseconds by source
    source_clock: datetime | None = None
    lag_records: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    repeatable: bool | None = None
    period_s: float | None = None
    concerns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """The processes of one hop taken together: newest times, sums of what waits and of what was done."""

    name: str  # source:paris, feed:paris, track, live or history; track:paris is track as far as it is about paris
    processes: int = 0  # living ones
    beat_at: float | None = None  # Unix seconds, as all times here; None where there is no process at all
    watermark: float | None = None
    watermarks: Mapping[str, float] = field(default_factory=dict)  # of a consumer: what it has taken, by source
    source_clock: float | None = None
    lag_records: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    started_at: float | None = None  # of its oldest living process
    repeatable: bool | None = None  # of a feed, as all below: whether its source can give again what was missed
    period_s: float | None = None  # how often its source gives something
    concerns: Mapping[str, str] = field(default_factory=dict)  # what a person has to see to, by kind
    standing: Mapping[int, float] = field(default_factory=dict)  # of a consumer: since when partitions stand still
    unread: Mapping[int, float] = field(default_factory=dict)  # of these, those of which only others say so

    @property
    def alive(self) -> bool:
        return self.processes > 0

    @property
    def stage(self) -> Stage:
        return Stage(self.name.partition(":")[0])

    @property
    def source(self) -> str:
        return self.name.partition(":")[2]

    def about(self, source: str) -> "Hop":
        """This consumer as far as it is about one source."""
        return replace(self, name=f"{self.name}:{source}", watermark=self.watermarks.get(source), watermarks={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What is remembered of a hop from one look to the next; Unix seconds."""

    good_at: float  # when it was last seen to do its part
    goods: int = _GOODS_TO_CLOSE  # how often in a row since it last stalled
    moved_at: float  # when its watermark last moved
    resumed_at: float  # when it last began to move after a rest
    mark: float | None = None  # its watermark, or its clock for a source
    behind_s: float = 0.0  # how far it was behind the hop before
    count: int = 0  # of a feed: what it had accepted; of a consumer: what was stale
    acknowledged: int = 0  # of a feed: what Kafka had taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one look leaves for the next."""

    at: float
    pulses: Mapping[str, Pulse]
    open_names: Sequence[str] = ()  # whose incident was open then

    def to_json(self) -> dict[str, Any]:
        """As an object that JSON can hold."""
        pulses = {name: asdict(pulse) for name, pulse in self.pulses.items()}
        return {"at": self.at, "pulses": pulses, "open_names": list(self.open_names)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Memory | None":
        """The inverse of `to_json`; None for what an older version has left."""
        if not data:
            return None
        try:
            pulses = {name: Pulse(**pulse) for name, pulse in data["pulses"].items()}
            return cls(at=data["at"], pulses=pulses, open_names=tuple(data["open_names"]))
        except (KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A hop that has stopped."""

    stage: Stage
    source: str
    since: datetime
    last_good: datetime | None
    cause: Cause
    detail: str  # the cause in words

    @property
    def name(self) -> str:
        """The hop's name, as in `source:paris`, `track` or `track:paris`."""
        return f"{self.stage}:{self.source}" if self.source else str(self.stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one look has seen."""

    now: datetime
    hops: Mapping[str, Hop]
    stalls: Sequence[Stall]
    memory: Memory


def look(
    connection: psycopg.Connection[Any],
    memory: Memory | None,
    open_names: Iterable[str],
    *,
    threshold_s: float,
    now: datetime | None = None,
) -> Sighting:
    """Reads the heartbeats and judges them; `now` is the database's clock where it is not given.

    `open_names` are the hops that an open incident names: they stay stalled until they have shown life twice.
    """
    clock, beats = _read(connection, now)
    return judge(beats, memory, open_names, threshold_s=threshold_s, now=clock)


def see(connection: psycopg.Connection[Any]) -> tuple[datetime, dict[str, Hop]]:
    """The hops as they are, unjudged, and the database's clock."""
    clock, beats = _read(connection, None)
    return clock, _hops(beats, clock.timestamp())


def _read(connection: psycopg.Connection[Any], now: datetime | None) -> tuple[datetime, list[Beat]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("freshness_heartbeats"), {"now": now}).fetchall()
    beats = [Beat(**{k: v for k, v in row.items() if k != "now"}) for row in rows if row["stage"] is not None]
    return rows[0]["now"], [beat for beat in beats if not beat.source.endswith(BACKFILL_SUFFIX)]


def sweep(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Removes the rows of dead processes that have a living successor, or that nobody waits for; returns how many."""
    arguments = {"now": now, "keep": KEEP_DEAD, "alive": timedelta(seconds=ALIVE_S), "unmissed": f"%{BACKFILL_SUFFIX}"}
    return connection.execute(query("freshness_sweep"), arguments).rowcount


def forget_listening(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Removes what tells who listened long ago; returns how many rows."""
    return connection.execute(query("listening_sweep"), {"now": now, "keep": KEEP_LISTENING}).rowcount


def sign_of_life(connection: psycopg.Connection[Any], instance: str, started_at: datetime, note: str) -> None:
    """The own heartbeat of whoever looks, as stage `dagster`: somebody outside has to watch the watchman."""
    row: dict[str, Any] = dict.fromkeys(("watermark", "source_clock", "lag_records", "metrics_port"))
    row |= {"stage": WATCHMAN, "instance": instance, "source": "", "started_at": started_at, "note": note}
    row |= {"counters": "{}", "rss_bytes": resident_bytes(), "pid": os.getpid()}
    row |= {"repeatable": None, "period_s": None, "concerns": "{}", "watermarks": "{}"}
    connection.execute(query("heartbeat"), row)


def judge(
    beats: Sequence[Beat],
    memory: Memory | None,
    open_names: Iterable[str],
    *,
    threshold_s: float,
    now: datetime,
) -> Sighting:
    """Which hops have stalled. Call it every few seconds, each time with the memory of the call before."""
    at = now.timestamp()
    # Nobody looked for a while: what happened meanwhile cannot be dated, so every hop has its full time again.
    if memory is not None and not 0 <= at - memory.at <= max(2 * threshold_s, _UNSEEN_S):
        memory = None
    hops = _hops(beats, at)
    named = tuple(sorted(open_names))
    bench = _Bench(memory, frozenset(named), threshold_s, at)
    sources = sorted(hop.source for hop in hops.values() if hop.stage is Stage.FEED)
    for source in sources:
        gives_the_same = bench.judge_feed(hops[f"feed:{source}"])
        bench.judge_source(hops[f"source:{source}"], hops[f"feed:{source}"], gives_the_same=gives_the_same)
    reports = _merge("feed", [hops[f"feed:{source}"] for source in sources])
    bench.follow(reports)
    shared = _shared(hops["live"], hops["history"])
    bench.judge_consumer(hops["track"], reports, {TOPIC_REPORTS: hops["track"].standing, TOPIC_POSITIONS: shared})
    for name in ("live", "history"):
        own = {number: since for number, since in hops[name].standing.items() if number not in shared}
        bench.judge_consumer(hops[name], hops["track"], {TOPIC_POSITIONS: own})
    for source in sources:
        bench.judge_source_at(hops["track"], source, hops[f"feed:{source}"])
    for source, passed_on in _passed_on(hops["live"], hops["history"]).items():
        bench.follow(passed_on)
        for name in ("live", "history"):
            bench.judge_source_at(hops[name], source, passed_on)
    left = Memory(at=at, pulses=bench.pulses, open_names=named)
    return Sighting(now=now, hops=hops, stalls=bench.stalls, memory=left)


class _Bench:
    """One look: the pulses of the last one are brought up to date, hop by hop, upstream first."""

    def __init__(self, memory: Memory | None, open_names: frozenset[str], threshold_s: float, at: float) -> None:
        self._before = memory.pulses if memory else {}
        self._before_at = memory.at if memory else at
        self._new_names = open_names.difference(memory.open_names if memory else ())
        self._open, self._threshold_s, self._at = open_names, threshold_s, at
        self._kafka_takes = True  # what the feeds have for it
        self.pulses: dict[str, Pulse] = {}
        self.stalls: list[Stall] = []

    def judge_feed(self, feed: Hop) -> bool:
        """A feed is good while it is alive and Kafka takes what it has accepted.

        Answers whether it has accepted, and Kafka taken, only what is no newer than what was there.
        """
        pulse = self.follow(feed)
        accepted, acknowledged = feed.counters.get("accepted", 0), feed.counters.get("acknowledged", 0)
        moved, taken = pulse.moved_at == self._at, acknowledged > pulse.acknowledged
        waits = bool(feed.lag_records) and not moved and not taken
        self.pulses[feed.name] = replace(pulse, count=accepted, acknowledged=acknowledged)
        if not feed.alive:
            self._settle(feed, good=False, baseline=feed.beat_at, cause=Cause.FEED_DEAD, detail=_DEAD)
        elif feed.note in _NOTES_IN_WAIT:
            self._kafka_takes = False
            self._settle(feed, good=False, cause=Cause.KAFKA_UNREACHABLE, detail=_NOTES_IN_WAIT[feed.note])
        else:
            self._kafka_takes &= not waits
            detail = "what it accepts is not acknowledged; does Kafka answer?"
            self._settle(feed, good=not waits, cause=Cause.KAFKA_UNREACHABLE, detail=detail)
        older = not moved and accepted > pulse.count and _ahead_s(feed.source_clock, feed.watermark) > 0
        return older and (taken or feed.lag_records == 0)

    def judge_source(self, source: Hop, feed: Hop, *, gives_the_same: bool) -> None:
        """A source is good while its own clock moves, be the sky empty; unknown while its feed is not in order.

        If the sky is not empty, what it gives has to become newer, too.
        """
        pulse = self.follow(source)
        in_order = feed.alive and feed.note not in _NOTES_IN_WAIT
        good = (pulse.moved_at == self._at and not gives_the_same) if in_order else None
        told = "".join(f"; {text}" for text in feed.concerns.values())
        nothing = (
            "gives again and again what was there, while its clock moves" if gives_the_same else "gives nothing new"
        )
        self._settle(
            source,
            good=good,
            cause=Cause.SOURCE_STALLED,
            detail=f"its feed is alive, but the source {nothing}{told}",
            threshold_s=max(self._threshold_s, PATIENCE_PERIODS * (feed.period_s or 0.0)),
        )

    def judge_consumer(self, hop: Hop, upstream: Hop, standing: Standing) -> None:
        """A consumer is good while it has, or comes nearer to, what the hop before it has passed on, in each partition.

        `standing`: partitions that stand still for it, by topic, and since when.
        """
        pulse = self.follow(hop)
        ahead = self.pulses[upstream.name]
        behind_s = _ahead_s(upstream.watermark, hop.watermark)
        stale = hop.counters.get("stale", 0)  # live takes what is older than its window and shows nothing of it
        moved = pulse.moved_at == self._at
        nearer = moved and (behind_s <= self._threshold_s or behind_s < pulse.behind_s)
        good = hop.alive and (behind_s <= 0 or nearer or (stale > pulse.count and not hop.note))
        self.pulses[hop.name] = replace(pulse, behind_s=behind_s, count=stale)
        # It can be blamed for what it leaves lying only while something comes: not if the hop before has stopped too.
        baseline = max(pulse.good_at, ahead.resumed_at)
        due = ahead.moved_at - baseline > self._threshold_s / 2
        blamed = False if due else None
        stuck = self._stuck(hop, standing, ahead) if good and behind_s <= self._threshold_s else {}
        if stuck:
            since = max(min(since for one in stuck.values() for since in one.values()), ahead.resumed_at)
            detail = f"{_told(stuck)}, while the others go on{_holding(hop, stuck)}"
            self._settle(hop, good=False, since=since, cause=Cause.PARTITION_STUCK, detail=detail)
        elif not hop.alive:
            dead = Cause.TRACKER_DEAD if hop.stage is Stage.TRACK else Cause.CONSUMER_DEAD
            if hop.beat_at is None:
                self._settle(hop, good=blamed, baseline=baseline, cause=dead, detail="no such process runs")
            else:
                self._settle(hop, good=False, baseline=hop.beat_at, cause=dead, detail=_DEAD)
        else:
            state = "falls further behind" if moved else "takes nothing"
            detail = f"its process is alive and {state}{_waiting(hop)}"
            self._settle(hop, good=good or blamed, baseline=baseline, cause=_why(hop, moved=moved), detail=detail)

    def _stuck(
        self, hop: Hop, standing: Mapping[str, Mapping[int, float]], ahead: Pulse
    ) -> dict[str, dict[int, float]]:
        """The partitions that have stood still for longer than the threshold.

        None where Kafka takes nothing (it has that name already), or something has only just begun to come again.
        """
        anew = self._at - ahead.resumed_at <= self._threshold_s and hop.name not in self._open
        if anew or not self._kafka_takes:
            return {}
        late = {
            topic: {number: since for number, since in one.items() if self._at - since > self._threshold_s}
            for topic, one in standing.items()
        }
        return {topic: one for topic, one in late.items() if one}

    def judge_source_at(self, hop: Hop, source: str, upstream: Hop) -> None:
        """A consumer has, of each source of which it knows, what the hop before has passed on.

        One can stand still behind the others where its clock is years behind (a recording). What all stand still for is
        the hop's own trouble, and so named, and so is a partition that stands still.
        """
        part = hop.about(source)
        if part.watermark is None:
            return
        pulse, ahead = self.follow(part), self.pulses[upstream.name]
        detail = f"it goes on with other sources, and takes nothing of this one{_waiting(hop)}"
        if not hop.alive or hop.standing or self.pulses[hop.name].good_at < self._at:
            self._settle(part, good=None, cause=Cause.SOURCE_BEHIND, detail=detail)
            return
        behind = _ahead_s(upstream.watermark, part.watermark) > 0 and pulse.moved_at != self._at
        baseline = max(pulse.good_at, ahead.resumed_at)
        due = ahead.moved_at - baseline > self._threshold_s / 2
        good = True if not behind else False if due else None
        self._settle(part, good=good, baseline=baseline, cause=Cause.SOURCE_BEHIND, detail=detail)

    def follow(self, hop: Hop) -> Pulse:
        """Brings a hop's pulse up to date: has what it tells moved since the last look?"""
        at = self._at
        mark = hop.source_clock if hop.name.startswith(f"{Stage.SOURCE}:") else hop.watermark
        pulse = self._before.get(hop.name)
        if pulse is None:
            goods = 0 if hop.name in self._open else _GOODS_TO_CLOSE
            count = hop.counters.get("accepted", 0)
            taken = hop.counters.get("acknowledged", 0)
            pulse = Pulse(
                good_at=at, goods=goods, moved_at=at, resumed_at=at, mark=mark, count=count, acknowledged=taken
            )
        elif mark is not None and mark != pulse.mark:
            rested = at - pulse.moved_at > self._threshold_s
            pulse = replace(pulse, mark=mark, moved_at=at, resumed_at=at if rested else pulse.resumed_at)
        if hop.name in self._new_names:  # by somebody else, perhaps, who has looked a moment later
            pulse = replace(pulse, goods=0)
        self.pulses[hop.name] = pulse
        return pulse

    def _settle(
        self,
        hop: Hop,
        *,
        good: bool | None,
        cause: Cause,
        detail: str,
        baseline: float | None = None,
        threshold_s: float | None = None,
        since: float | None = None,
    ) -> None:
        """Writes down how the hop is; None: it cannot be told, so nothing opens and nothing closes.

        `since`: from when on it is not good, where that is known better than by looks.
        """
        pulse, is_open = self.pulses[hop.name], hop.name in self._open
        if good:
            # What is seen to be so, is so now; what has moved, moved some time since the last look.
            unseen_s = min(self._at - self._before_at, _LOOK_S) if hop.stage is Stage.SOURCE else 0.0
            pulse = replace(pulse, good_at=self._at - unseen_s / 2, goods=pulse.goods + 1)
        elif good is None and not is_open and baseline is None:
            pulse = replace(pulse, good_at=self._at)
        silent_since = since or (pulse.good_at if baseline is None else max(pulse.good_at, baseline))
        if good is False and self._at - silent_since > (threshold_s or self._threshold_s):
            pulse = replace(pulse, goods=0)
        self.pulses[hop.name] = pulse
        if pulse.goods == 0 or (is_open and pulse.goods < _GOODS_TO_CLOSE):
            self.stalls.append(
                Stall(
                    stage=hop.stage,
                    source=hop.source,
                    since=datetime.fromtimestamp(silent_since, UTC),
                    last_good=None if pulse.mark is None else datetime.fromtimestamp(pulse.mark, UTC),
                    cause=cause,
                    detail=detail,
                )
            )


def _hops(beats: Sequence[Beat], at: float) -> dict[str, Hop]:
    """The hops of which something is known, and the three that must always be there."""
    groups: dict[str, list[Beat]] = {"track": [], "live": [], "history": []}
    for beat in beats:
        if beat.stage == Stage.FEED:
            groups.setdefault(f"feed:{beat.source}", []).append(beat)
            groups.setdefault(f"source:{beat.source}", []).append(beat)
        elif beat.stage in groups:
            groups[beat.stage].append(beat)
    return {name: _hop(name, members, at) for name, members in groups.items()}


def _hop(name: str, beats: Sequence[Beat], at: float) -> Hop:
    if not beats:
        return Hop(name=name)
    living = [beat for beat in beats if at - beat.beat_at.timestamp() <= ALIVE_S]
    newest = max(living or beats, key=lambda beat: beat.beat_at)
    counters: dict[str, int] = {}
    for beat in living:
        for outcome, count in beat.counters.items():
            counters[outcome] = counters.get(outcome, 0) + count
    lags = [beat.lag_records for beat in living if beat.lag_records is not None]
    standing, unread = _standing(living, standstill.OWN), _standing(living, standstill.UNREAD)
    return Hop(
        name=name,
        processes=len(living),
        beat_at=newest.beat_at.timestamp(),
        watermark=_newest(beat.watermark for beat in living or beats),
        watermarks=_newest_by_source(living or beats),
        source_clock=_newest(beat.source_clock for beat in living or beats),
        lag_records=sum(lags) if lags else None,
        counters=counters,
        note=newest.note,
        started_at=min((beat.started_at.timestamp() for beat in living), default=None),
        repeatable=newest.repeatable,
        period_s=max((beat.period_s for beat in living if beat.period_s), default=None),
        concerns={kind: text for beat in living for kind, text in beat.concerns.items()},
        standing=unread | standing,
        unread={number: since for number, since in unread.items() if number not in standing},
    )


def _standing(beats: Sequence[Beat], kind: str) -> dict[int, float]:
    """Since when each partition stands still, by whoever has seen it first."""
    since: dict[int, float] = {}
    for beat in beats:
        for number, seconds in standstill.told(beat.concerns, kind).items():
            at = beat.beat_at.timestamp() - seconds
            since[number] = min(at, since.get(number, at))
    return since


def _merge(name: str, hops: Sequence[Hop]) -> Hop:
    """Several feeds as the one hop before `track`."""
    marks = [hop.watermark for hop in hops if hop.alive and hop.watermark is not None]
    return Hop(name=name, processes=sum(hop.processes for hop in hops), watermark=max(marks, default=None))


def _newest(moments: Iterable[datetime | None]) -> float | None:
    return max((moment.timestamp() for moment in moments if moment is not None), default=None)


def _newest_by_source(beats: Sequence[Beat]) -> dict[str, float]:
    newest: dict[str, int] = {}
    for beat in beats:
        advance(newest, beat.watermarks)
    return {source: time_ms / 1000 for source, time_ms in newest.items()}


def _passed_on(live: Hop, history: Hop) -> dict[str, Hop]:
    """What track has passed on of each source, as far as it is known: either of its two readers has it.

    Track itself says only what it has taken: of a source that repeats another one nothing goes on, and none is behind.
    """
    newest: dict[str, float] = {}
    for reader in (live, history):
        for source, at in reader.watermarks.items():
            newest[source] = max(at, newest.get(source, at))
    return {source: Hop(name=f"{_PASSED_ON}:{source}", watermark=at) for source, at in newest.items()}


def _shared(live: Hop, history: Hop) -> dict[int, float]:
    """The partitions that stand still for both readers of `flight.positions`: what holds them back lies before both.

    Not so where one of them has no process for it: a transaction that hangs is not to be seen from outside.
    """
    both = (live.standing.keys() - live.unread) & (history.standing.keys() - history.unread)
    return {number: max(live.standing[number], history.standing[number]) for number in both}


def _told(stuck: Standing) -> str:
    named = [f"{number} of {topic}" for topic, numbers in stuck.items() for number in sorted(numbers)]
    return f"partition {', '.join(named)} stands still"


def _holding(hop: Hop, stuck: Standing) -> str:
    if hop.stage is Stage.TRACK and TOPIC_POSITIONS in stuck:
        return (
            ": neither live nor history gets on there, so a transaction is open that nobody ends, or its leader is away"
        )
    if all(number in hop.unread for numbers in stuck.values() for number in numbers):
        return ": records lie before it, and none of its processes reads them"
    return f": its process hangs, or Kafka does not give it more{_waiting(hop)}"


def _ahead_s(first: float | None, second: float | None) -> float:
    """How far the first time is ahead of the second; endlessly where there is no second."""
    if first is None:
        return 0.0
    return float("inf") if second is None else first - second


def _why(hop: Hop, *, moved: bool) -> Cause:
    """Why a living consumer does not keep up."""
    if hop.note.startswith(_NOTES_OF_STORES):
        return Cause.STORE_UNREACHABLE
    if hop.note in _NOTES_IN_WAIT:
        return Cause.KAFKA_UNREACHABLE
    return Cause.LAG_GROWING if moved else Cause.CONSUMER_STUCK


def _waiting(hop: Hop) -> str:
    where = "in it for Kafka" if hop.name.startswith(Stage.FEED) else "for it in Kafka"
    lag = "" if hop.lag_records is None else f"; {hop.lag_records} records wait {where}"
    return lag + (f"; it says: {hop.note}" if hop.note and hop.note != "running" else "")
