"""Which hop is named, when, and when it is cleared: a made-up platform runs by the second, with a look every five."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flight_platform.codec import unix_ms
from flight_platform.names import NOTE_HOLDING
from flight_platform.watch.freshness import Beat, Memory, judge
from flight_platform.watch.standstill import OWN, SHORT_S, UNREAD

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
LONG_AGO = datetime(2018, 8, 1, tzinfo=UTC)  # what a recording tells of
THRESHOLD_S = 15.0
LOOK_S = 5

Span = tuple[int, int]  # seconds from the start: from, to (exclusive)


def within(second: int, spans: Iterable[Span]) -> bool:
    return any(first <= second < last for first, last in spans)


@dataclass(kw_only=True)
class Feed:
    """A feed with its source; spans say when something is wrong."""

    name: str = "paris"
    period_s: int = 1  # how often the source gives something
    silent: tuple[Span, ...] = ()  # the source gives nothing
    quiet: tuple[Span, ...] = ()  # the source's clock moves, the sky is empty
    same: tuple[Span, ...] = ()  # the source's clock moves, and it gives again what was there
    killed: tuple[Span, ...] = ()  # the process does not beat; its row stays
    stopped: tuple[Span, ...] = ()  # ended on purpose: no row
    kafka_away: tuple[Span, ...] = ()  # what it accepts is not acknowledged
    waits: tuple[Span, ...] = ()  # it says that it waits for Kafka, and takes nothing from the source
    says: str = "waiting for Kafka"  # then
    told_period_s: float | None = None  # what it says of its source's pace
    beat: Beat | None = None

    def step(self, second: int, now: datetime, event: datetime) -> None:
        if within(second, self.stopped):
            self.beat = None
            return
        if within(second, self.killed):
            return
        beat = self.beat or Beat(stage="feed", instance=self.name, source=self.name, started_at=now, beat_at=now)
        waits = within(second, self.waits)
        note = self.says if waits else "running"
        beat = replace(beat, beat_at=now, note=note, period_s=self.told_period_s)
        if not waits and not within(second, self.silent) and second % self.period_s == 0:
            beat = replace(beat, source_clock=event)
            if not within(second, self.quiet):
                away, counted = within(second, self.kafka_away), dict(beat.counters)
                counted["accepted"] = counted.get("accepted", 0) + 10
                counted["acknowledged"] = counted.get("acknowledged", 0) if away else counted["accepted"]
                beat = replace(beat, counters=counted, lag_records=counted["accepted"] - counted["acknowledged"])
                if not away and not within(second, self.same):
                    beat = replace(beat, watermark=event)
        self.beat = beat


@dataclass(kw_only=True)
class Consumer:
    """Track, live or history, one second behind what is before it at most."""

    stage: str
    killed: tuple[Span, ...] = ()
    stopped: tuple[Span, ...] = ()
    stuck: tuple[Span, ...] = ()  # alive, and takes nothing
    slow: tuple[Span, ...] = ()  # takes half of what comes
    stale: tuple[Span, ...] = ()  # all that comes is too old for it
    short_of: timedelta = timedelta(0)  # the newest of the reports was refused
    deaf_to: dict[str, tuple[Span, ...]] = field(default_factory=dict)  # by source: it takes nothing of this one
    drops: dict[str, tuple[Span, ...]] = field(default_factory=dict)  # by source: it takes it, and passes nothing on
    standing: dict[int, tuple[Span, ...]] = field(default_factory=dict)  # by partition: it gets on in the others alone
    told: str = OWN  # of these, by a process that has them or one that looks from outside
    passed_on: dict[str, int] = field(default_factory=dict)
    says: str = ""  # its note while it is stuck
    instance: str = "1"
    beat: Beat | None = None

    def step(self, second: int, now: datetime, upstream: datetime | None, sources: Mapping[str, int]) -> None:
        if within(second, self.stopped):
            self.beat = None
            return
        if within(second, self.killed):
            return
        beat = self.beat or Beat(stage=self.stage, instance=self.instance, started_at=now, beat_at=now)
        beat = replace(beat, beat_at=now, note=self.says if within(second, self.stuck) else "")
        if within(second, self.stale):
            beat = replace(beat, counters={"stale": second})
        elif not within(second, self.stuck) and upstream is not None:
            target = upstream - self.short_of
            if within(second, self.slow) and beat.watermark is not None:
                target = min(target, beat.watermark + timedelta(seconds=0.5))
            elif beat.watermark is not None:  # ten times as fast as what comes
                target = min(target, beat.watermark + timedelta(seconds=10))
            heard = {name: at for name, at in sources.items() if not within(second, self.deaf_to.get(name, ()))}
            known = {name: min(at, unix_ms(target)) for name, at in heard.items()}
            self.passed_on |= {name: at for name, at in known.items() if not within(second, self.drops.get(name, ()))}
            beat = replace(beat, watermark=target, watermarks={**beat.watermarks, **known})
        still = {
            n: second - first for n, spans in self.standing.items() for first, last in spans if first <= second < last
        }
        concerns = {f"{self.told}{number}": f"{seconds:.1f}" for number, seconds in still.items() if seconds > SHORT_S}
        self.beat = replace(beat, concerns=concerns)


@dataclass(kw_only=True)
class Platform:
    """All processes, stepped a second at a time."""

    feeds: list[Feed] = field(default_factory=lambda: [Feed()])
    track: Consumer = field(default_factory=lambda: Consumer(stage="track"))
    live: Consumer = field(default_factory=lambda: Consumer(stage="live"))
    history: Consumer = field(default_factory=lambda: Consumer(stage="history"))
    events_from: datetime = START  # event time at the start
    unseen: tuple[Span, ...] = ()  # nobody looks: the sensor is down
    forgets_at: int | None = None  # the sensor's memory is lost
    extra: list[Beat] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)  # of all stalls seen
    details: set[str] = field(default_factory=set)

    def run(self, seconds: int) -> list[tuple[int, str, str]]:
        """What opened and closed: (second, "open" or "close", hop)."""
        memory: Memory | None = None
        opened: set[str] = set()
        told: list[tuple[int, str, str]] = []
        for second in range(seconds):
            self._step(second)
            if second % LOOK_S or within(second, self.unseen):
                continue
            if second == self.forgets_at:
                memory = None
            memory = Memory.from_json(memory.to_json()) if memory else None  # as between two ticks of the sensor
            now = START + timedelta(seconds=second)
            sighting = judge(self._beats(), memory, opened, threshold_s=THRESHOLD_S, now=now)
            self.causes |= {str(stall.cause) for stall in sighting.stalls}
            self.details |= {stall.detail for stall in sighting.stalls}
            memory, names = sighting.memory, {stall.name for stall in sighting.stalls}
            told += [(second, "open", name) for name in sorted(names - opened)]
            told += [(second, "close", name) for name in sorted(opened - names)]
            opened = names
        return told

    def _step(self, second: int) -> None:
        now, event = START + timedelta(seconds=second), self.events_from + timedelta(seconds=second)
        for feed in self.feeds:
            feed.step(second, now, event)
        marks = [feed.beat.watermark for feed in self.feeds if feed.beat and feed.beat.watermark]
        told = {feed.name: unix_ms(f.watermark) for feed in self.feeds if (f := feed.beat) and f.watermark}
        self.track.step(second, now, max(marks, default=None), told)
        tracked = self.track.beat.watermark if self.track.beat else None
        self.live.step(second, now, tracked, self.track.passed_on)
        self.history.step(second, now, tracked, self.track.passed_on)

    def _beats(self) -> list[Beat]:
        owners: list[Feed | Consumer] = [*self.feeds, self.track, self.live, self.history]
        return [owner.beat for owner in owners if owner.beat is not None] + self.extra


def one_stall(hop: str, at: int, *, cleared: int) -> Callable[[list[tuple[int, str, str]]], None]:
    """Asserts one alert within threshold and threshold + 10 s, and one all-clear within 15 s."""

    def check(told: list[tuple[int, str, str]]) -> None:
        assert [(what, name) for _, what, name in told] == [("open", hop), ("close", hop)]
        assert at + THRESHOLD_S <= told[0][0] + 1 <= at + THRESHOLD_S + 10
        assert cleared <= told[1][0] <= cleared + 15

    return check


STALLS: dict[str, tuple[Platform, str]] = {
    "source gives nothing": (Platform(feeds=[Feed(silent=((60, 120),))]), "source:paris"),
    "recording of long ago": (Platform(feeds=[Feed(silent=((60, 120),))], events_from=LONG_AGO), "source:paris"),
    "source gives the same again": (Platform(feeds=[Feed(same=((60, 120),))]), "source:paris"),
    "source polled each 10 s gives the same again": (
        Platform(feeds=[Feed(period_s=10, same=((61, 120),))]),
        "source:paris",
    ),
    "source polled each 10 s": (Platform(feeds=[Feed(period_s=10, silent=((61, 120),))]), "source:paris"),
    "feed killed": (Platform(feeds=[Feed(killed=((60, 120),))]), "feed:paris"),
    "Kafka away, feed fills its queue": (Platform(feeds=[Feed(kafka_away=((60, 120),))]), "feed:paris"),
    "Kafka away, slow source": (Platform(feeds=[Feed(period_s=10, kafka_away=((61, 120),))]), "feed:paris"),
    "Kafka away, feed's queue is full": (Platform(feeds=[Feed(waits=((60, 120),))]), "feed:paris"),
    "track killed": (Platform(track=Consumer(stage="track", killed=((60, 120),))), "track"),
    "track stuck": (Platform(track=Consumer(stage="track", stuck=((60, 120),))), "track"),
    "track stopped while reports come": (Platform(track=Consumer(stage="track", stopped=((60, 120),))), "track"),
    "live killed": (Platform(live=Consumer(stage="live", killed=((60, 120),))), "live"),
    "live stuck": (Platform(live=Consumer(stage="live", stuck=((60, 120),))), "live"),
    "history stuck": (Platform(history=Consumer(stage="history", stuck=((60, 120),))), "history"),
    "history stuck, source polled each 10 s": (
        Platform(feeds=[Feed(period_s=10)], history=Consumer(stage="history", stuck=((61, 120),))),
        "history",
    ),
}


@pytest.mark.parametrize(("platform", "hop"), STALLS.values(), ids=STALLS)
def test_one_alert_names_the_hop_and_one_all_clear_follows(platform: Platform, hop: str) -> None:
    # Of a source that gives something each 10 s, the first thing that the hop can leave lying comes at 70 s.
    slow = platform.feeds[0].period_s > 1 and not hop.startswith("source")
    one_stall(hop, 70 if slow else 60, cleared=120)(platform.run(200))


def two_sources(consumer: Consumer | None = None) -> Platform:
    consumers: dict[str, Any] = {consumer.stage: consumer} if consumer else {}
    return Platform(feeds=[Feed(name="paris"), Feed(name="zurich")], **consumers)


@pytest.mark.parametrize("stage", ["track", "live", "history"])
def test_one_source_that_alone_stands_behind_at_a_hop_is_named_with_it(stage: str) -> None:
    platform = two_sources(Consumer(stage=stage, deaf_to={"paris": ((60, 120),)}))
    one_stall(f"{stage}:paris", 60, cleared=120)(platform.run(200))
    assert platform.causes == {"source_behind"}


def stuck(stage: str, *spans: Span, **more: Any) -> Consumer:
    """It gets on in all partitions but one, in which all of Paris lies."""
    return Consumer(stage=stage, standing={3: spans}, deaf_to={"paris": spans}, **more)


def test_a_source_that_neither_reader_gets_on_with_is_the_trackers_open_transaction_or_the_partitions_leader() -> None:
    def platform() -> Platform:
        consumers: dict[str, Any] = {stage: stuck(stage, (60, 120)) for stage in ("live", "history")}
        return Platform(feeds=[Feed(name="paris"), Feed(name="zurich")], **consumers)

    one_stall("track", 60, cleared=120)(platform().run(200))
    held = platform()
    held.run(110)
    assert held.causes == {"partition_stuck"}
    (detail,) = held.details
    assert detail.startswith("partition 3 of flight.positions stands still, while the others go on: neither live nor")


@pytest.mark.parametrize("stage", ["track", "live", "history"])
def test_a_partition_that_stands_still_at_one_hop_is_named_with_it(stage: str) -> None:
    one_stall(stage, 60, cleared=120)(two_sources(stuck(stage, (60, 120))).run(200))
    held = two_sources(stuck(stage, (60, 500)))
    held.run(110)
    assert held.causes == {"partition_stuck"}


@pytest.mark.parametrize("stage", ["track", "live", "history"])
def test_a_partition_that_no_process_reads_is_named_with_the_hop_by_those_that_are_left(stage: str) -> None:
    one_stall(stage, 60, cleared=120)(two_sources(stuck(stage, (60, 120), told=UNREAD)).run(200))
    held = two_sources(stuck(stage, (60, 500), told=UNREAD))
    held.run(110)
    assert held.causes == {"partition_stuck"}
    (detail,) = held.details
    assert "records lie before it, and none of its processes reads them" in detail


def test_one_that_neither_reader_has_a_process_for_is_no_transaction_of_the_tracker() -> None:
    platform = two_sources()
    platform.live, platform.history = (stuck(name, (60, 120), told=UNREAD) for name in ("live", "history"))
    assert {(what, name) for _, what, name in platform.run(200)} == {
        (what, name) for what in ("open", "close") for name in ("live", "history")
    }


def test_where_its_own_process_says_so_too_that_is_the_word_that_counts() -> None:
    platform = two_sources(stuck("history", (60, 500)))
    until = START + timedelta(seconds=110)
    other = Beat(stage="history", instance="2", started_at=START, beat_at=until, concerns={f"{UNREAD}3": "20.0"})
    platform.extra = [other]
    platform.run(110)
    (detail,) = platform.details
    assert "its process hangs" in detail


def test_a_partition_that_stands_still_is_named_by_those_that_others_are_not_held_back_in() -> None:
    platform = two_sources()
    platform.live = Consumer(stage="live", standing={3: ((60, 120),), 5: ((60, 120),)})
    platform.history = Consumer(stage="history", standing={3: ((60, 120),)})
    assert {(what, name) for _, what, name in platform.run(200)} == {
        (what, name) for what in ("open", "close") for name in ("track", "live")
    }
    assert any(detail.startswith("partition 5 of flight.positions") for detail in platform.details)


def test_a_partition_that_stands_still_for_a_slow_source_is_one_incident() -> None:
    platform = Platform(feeds=[Feed(period_s=20, told_period_s=20)], history=stuck("history", (60, 160)))
    assert [(what, name) for _, what, name in platform.run(260)] == [("open", "history"), ("close", "history")]


def test_a_hop_that_stands_still_for_all_is_named_alone_and_what_it_has_to_catch_up_with_is_not_blamed() -> None:
    deaf = Consumer(stage="history", killed=((60, 120),), deaf_to={"paris": ((120, 131),)})
    one_stall("history", 60, cleared=120)(two_sources(deaf).run(220))


SOUND: dict[str, Platform] = {
    "all moves": Platform(),
    "two sources move": two_sources(),
    "a source that repeats the other one": two_sources(Consumer(stage="track", drops={"paris": ((60, 500),)})),
    "a source of which a consumer has not heard": two_sources(Consumer(stage="track", deaf_to={"paris": ((0, 500),)})),
    "source is slower than the looks": Platform(feeds=[Feed(period_s=12)]),
    "short silence": Platform(feeds=[Feed(silent=((60, 72),))]),
    "quiet sky": Platform(feeds=[Feed(quiet=((60, 160),))]),
    "quiet sky, the last reports came late": Platform(feeds=[Feed(same=((60, 66),), quiet=((66, 160),))]),
    "quiet sky, the last report was refused by track": Platform(
        feeds=[Feed(quiet=((60, 160),))], track=Consumer(stage="track", short_of=timedelta(seconds=2))
    ),
    "feed stopped on purpose": Platform(feeds=[Feed(stopped=((60, 500),))]),
    "feed stopped on purpose and started again": Platform(feeds=[Feed(stopped=((60, 160),))]),
    "feed restarted quickly": Platform(feeds=[Feed(killed=((60, 70),))]),
    "all that comes is too old for live": Platform(
        events_from=LONG_AGO, live=Consumer(stage="live", stale=((0, 500),))
    ),
    "nothing runs but a feed that has nothing to pass on": Platform(
        feeds=[Feed(quiet=((0, 500),))],
        track=Consumer(stage="track", stopped=((0, 500),)),
        live=Consumer(stage="live", stopped=((0, 500),)),
        history=Consumer(stage="history", stopped=((0, 500),)),
    ),
    "nobody looked for a minute": Platform(unseen=((60, 120),), feeds=[Feed(silent=((65, 118),))]),
    "a dead tracker has a living successor": Platform(
        extra=[Beat(stage="track", instance="old", started_at=START, beat_at=START - timedelta(hours=1))]
    ),
    "a dead feed has a living successor": Platform(
        extra=[Beat(stage="feed", instance="old", source="paris", started_at=START, beat_at=START)]
    ),
    "the watchman's own row": Platform(
        extra=[Beat(stage="dagster", instance="old", started_at=START, beat_at=START - timedelta(days=1))]
    ),
    "history reads a backlog": Platform(history=Consumer(stage="history", killed=((60, 70),))),
    "a partition has to be waited for, within the threshold": Platform(
        live=stuck("live", (60, 74)), history=stuck("history", (60, 74))
    ),
    "a partition that is waited for again and again": Platform(
        history=stuck("history", *((first, first + 14) for first in range(60, 200, 15)))
    ),
}


@pytest.mark.parametrize("platform", SOUND.values(), ids=SOUND)
def test_no_alert_where_nothing_is_wrong(platform: Platform) -> None:
    assert platform.run(240) == []


def test_of_two_sources_only_the_one_that_stalls_is_named() -> None:
    platform = Platform(feeds=[Feed(name="paris", silent=((60, 120),)), Feed(name="zurich")])
    one_stall("source:paris", 60, cleared=120)(platform.run(200))


def test_while_kafka_is_away_what_stands_still_in_partitions_is_not_named_too_nor_when_it_is_back() -> None:
    platform = Platform(feeds=[Feed(kafka_away=((60, 120),))], live=stuck("live", (60, 128)))
    one_stall("feed:paris", 60, cleared=120)(platform.run(220))


def test_two_sources_that_stall_are_two_incidents() -> None:
    platform = Platform(feeds=[Feed(name="paris", silent=((60, 120),)), Feed(name="zurich", killed=((60, 120),))])
    assert {(what, name) for _, what, name in platform.run(200)} == {
        (what, name) for what in ("open", "close") for name in ("source:paris", "feed:zurich")
    }


def test_a_source_with_a_second_feed_that_lives_is_in_order() -> None:
    other = Feed(name="paris")
    platform = Platform(feeds=[Feed(name="paris", killed=((60, 500),)), other])
    assert platform.run(200) == []


def test_while_history_is_dead_the_source_stalls_too_and_both_are_named() -> None:
    platform = Platform(feeds=[Feed(silent=((120, 200),))], history=Consumer(stage="history", killed=((60, 260),)))
    assert [(what, name) for _, what, name in platform.run(340)] == [
        ("open", "history"),
        ("open", "source:paris"),
        ("close", "source:paris"),
        ("close", "history"),
    ]


def test_a_consumer_that_falls_further_and_further_behind_is_named() -> None:
    told = Platform(history=Consumer(stage="history", slow=((60, 180),))).run(260)
    assert [(what, name) for _, what, name in told] == [("open", "history"), ("close", "history")]


def test_a_source_that_says_a_word_each_20_seconds_is_one_incident() -> None:
    silent = tuple((first, first + 19) for first in range(60, 200, 20))
    assert [what for _, what, _ in Platform(feeds=[Feed(silent=silent)]).run(300)] == ["open", "close"]


def test_a_source_that_says_how_seldom_it_speaks_is_given_twice_that_time() -> None:
    slow = Feed(period_s=40, told_period_s=40, silent=((121, 300),))
    told = Platform(feeds=[slow]).run(300)
    assert [(what, name) for _, what, name in told] == [("open", "source:paris")]
    assert 120 + 2 * 40 <= told[0][0] <= 120 + 2 * 40 + 10


CAUSES: dict[str, tuple[Platform, str]] = {
    "source stalled": (Platform(feeds=[Feed(silent=((60, 120),))]), "source_stalled"),
    "feed dead": (Platform(feeds=[Feed(killed=((60, 120),))]), "feed_dead"),
    "Kafka unreachable": (Platform(feeds=[Feed(waits=((60, 120),))]), "kafka_unreachable"),
    "tracker dead": (Platform(track=Consumer(stage="track", killed=((60, 120),))), "tracker_dead"),
    "consumer dead": (Platform(live=Consumer(stage="live", killed=((60, 120),))), "consumer_dead"),
    "store unreachable": (
        Platform(history=Consumer(stage="history", stuck=((60, 120),), says="waiting for Postgres")),
        "store_unreachable",
    ),
    "lag growing": (Platform(history=Consumer(stage="history", slow=((60, 120),))), "lag_growing"),
    "consumer stuck": (Platform(history=Consumer(stage="history", stuck=((60, 120),))), "consumer_stuck"),
}


@pytest.mark.parametrize(("platform", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_cause_is_one_word_of_a_closed_list(platform: Platform, cause: str) -> None:
    platform.run(110)
    assert platform.causes == {cause}


def test_a_growth_that_was_left_alone_is_told_as_such_and_a_short_one_is_not() -> None:
    held = Platform(feeds=[Feed(waits=((60, 160),), says=NOTE_HOLDING)])
    one_stall("feed:paris", 60, cleared=160)(held.run(220))
    assert any("flight topics grow" in detail for detail in held.details)
    assert Platform(feeds=[Feed(waits=((60, 72),), says=NOTE_HOLDING)]).run(220) == []


def test_a_source_that_never_gave_anything_is_named() -> None:
    told = Platform(feeds=[Feed(silent=((0, 500),))]).run(60)
    assert [(what, name) for _, what, name in told] == [("open", "source:paris")]


def test_a_feed_stopped_on_purpose_while_its_source_is_stalled_closes_the_incident() -> None:
    told = Platform(feeds=[Feed(silent=((60, 500),), stopped=((120, 500),))]).run(200)
    assert [(what, name) for _, what, name in told] == [("open", "source:paris"), ("close", "source:paris")]


def test_an_open_incident_outlives_the_sensors_memory() -> None:
    one_stall("source:paris", 60, cleared=160)(Platform(feeds=[Feed(silent=((60, 160),))], forgets_at=100).run(220))


def test_what_another_one_has_named_a_moment_earlier_is_not_closed() -> None:
    silent = Beat(stage="feed", instance="1", source="paris", started_at=START, beat_at=START, source_clock=START)
    memory, told = None, list[tuple[int, int]]()
    for second in (0, 5, 10, 14, 19):
        now = START + timedelta(seconds=second)
        opened = ["source:paris"] if second >= 14 else []
        sighting = judge([replace(silent, beat_at=now)], memory, opened, threshold_s=15, now=now)
        memory = sighting.memory
        told.append((second, len(sighting.stalls)))
    assert told == [(0, 0), (5, 0), (10, 0), (14, 1), (19, 1)]


def test_a_stall_that_lasts_while_nobody_looks_is_named_after_the_threshold() -> None:
    told = Platform(unseen=((60, 120),), feeds=[Feed(silent=((65, 500),))]).run(160)
    assert [(what, name) for _, what, name in told] == [("open", "source:paris")]
    assert 120 + THRESHOLD_S <= told[0][0] <= 120 + THRESHOLD_S + LOOK_S


def test_a_stall_tells_since_when_the_last_good_value_and_why() -> None:
    silent = Beat(
        stage="feed",
        instance="1",
        source="paris",
        started_at=START,
        beat_at=START,
        source_clock=LONG_AGO,
        watermark=LONG_AGO,
        note="running",
    )
    memory, stalls = None, []
    for second in range(0, 30, LOOK_S):
        now = START + timedelta(seconds=second)
        sighting = judge([replace(silent, beat_at=now)], memory, [], threshold_s=THRESHOLD_S, now=now)
        memory, stalls = sighting.memory, list(sighting.stalls)
    assert [(s.stage, s.source, s.since, s.last_good) for s in stalls] == [("source", "paris", START, LONG_AGO)]
    assert stalls[0].cause == "source_stalled"
    assert "gives nothing new" in stalls[0].detail


def test_a_machine_so_busy_that_looks_come_late_still_names_a_stall() -> None:
    silent = Beat(stage="feed", instance="1", source="paris", started_at=START, beat_at=START, source_clock=START)
    memory, names = None, set[str]()
    for second in range(0, 60, 14):  # more than twice the threshold apart
        now = START + timedelta(seconds=second)
        sighting = judge([replace(silent, beat_at=now)], memory, names, threshold_s=6, now=now)
        memory, names = sighting.memory, {stall.name for stall in sighting.stalls}
    assert names == {"source:paris"}


def test_the_cause_of_a_dead_process_dates_from_its_last_beat() -> None:
    beat = Beat(stage="track", instance="1", started_at=START, beat_at=START, watermark=START)
    memory, stalls = None, []
    for second in range(0, 60, LOOK_S):
        now = START + timedelta(seconds=second)
        sighting = judge(
            [replace(beat, beat_at=min(now, START + timedelta(seconds=20)))], memory, [], threshold_s=15, now=now
        )
        memory, stalls = sighting.memory, list(sighting.stalls)
    assert [s.name for s in stalls] == ["track"]
    assert START + timedelta(seconds=17) <= stalls[0].since <= START + timedelta(seconds=25)
    assert stalls[0].cause == "tracker_dead"
    assert "does not answer" in stalls[0].detail


@pytest.mark.parametrize("data", [None, {}, {"at": 1.0}, {"at": 1.0, "pulses": {"track": {"unheard_of": 1}}}])
def test_memory_of_another_version_is_forgotten(data: dict[str, Any] | None) -> None:
    assert Memory.from_json(data) is None
