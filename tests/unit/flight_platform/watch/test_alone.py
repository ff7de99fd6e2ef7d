"""What the processes of one machine see while Postgres is away, by files alone; telling Postgres: test_watchman.py."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Event
from flight_platform.watch.alone import Alone
from flight_platform.watch.heartbeats import Heartbeat
from flight_platform.watch.outage import Outage, State, folder_of

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEATS: dict[str, Any] = {
    "started_at": START, "lag_records": None, "rss_bytes": 1, "metrics_port": None, "pid": 1, "repeatable": False,
    "period_s": None, "note": "running", "concerns": "{}", "counters": "{}",
}  # fmt: skip


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def row(stage: str, told_s: float, source: str = "", instance: str = "1") -> dict[str, Any]:
    """As a heartbeat writes it."""
    told = at(told_s)
    marks = {} if source else {"roof": round(told.timestamp() * 1000)}
    own = {"stage": stage, "instance": instance, "source": source, "watermark": told, "watermarks": json.dumps(marks)}
    return BEATS | own | {"source_clock": told if source else None}


@dataclass
class Machine:
    """A feed of a source that gives something each second, and consumers; each process looks as it likes."""

    settings: Settings
    silent: range = range(0)  # the source gives nothing
    dead: Mapping[str, range] = field(default_factory=dict)  # of a stage: its process does not beat
    elsewhere: Iterable[str] = ()  # stages of which another process runs on another machine
    second: int = 0
    given_s: int = 0
    watching: list[Alone] = field(default_factory=list)

    def run(self, seconds: int) -> None:
        known = {"feed:roof": 1, "track": 1, "live": 1, "history": 1} | dict.fromkeys(self.elsewhere, 2)
        for _ in range(seconds):
            self.second += 1
            self.given_s = self.given_s if self.second in self.silent else self.second
            rows = [row("feed", self.given_s, "roof"), *(row(s, self.given_s) for s in ("track", "live", "history"))]
            for word in rows:
                if self.second not in self.dead.get(word["stage"], range(0)):
                    self.watching[0].tell(word, at(self.second))
            for watching in self.watching:
                watching.look(None, known, at(self.second))

    def told(self) -> list[tuple[str, str]]:
        events = Outage(folder_of(self.settings)).events()
        return [("opened" if event.alert else "over", event.key) for event in events]


def machine(var: Path, **trouble: Any) -> Machine:
    settings = Settings.read(var=var, stall_threshold_s=15)
    return Machine(settings, watching=[Alone(settings), Alone(settings)], **trouble)


def test_a_stall_that_begins_and_ends_meanwhile_is_seen_once_however_many_look(tmp_path: Path) -> None:
    watched = machine(tmp_path, silent=range(60, 120))
    watched.run(200)
    assert watched.told() == [("opened", "stall:source:roof"), ("over", "stall:source:roof")]
    opened, over = Outage(folder_of(watched.settings)).events()
    assert opened.alert is not None
    assert abs((opened.alert.since - at(60)).total_seconds()) <= 5
    assert opened.alert.last_good == at(59)
    assert 75 <= (opened.at - START).total_seconds() <= 85
    assert 120 <= (over.at - START).total_seconds() <= 135


def test_a_process_that_dies_is_named_and_is_looked_for_by_the_others(tmp_path: Path) -> None:
    watched = machine(tmp_path, dead={"track": range(60, 120)})
    watched.run(200)
    assert watched.told() == [("opened", "stall:track"), ("over", "stall:track")]


def test_who_looks_may_be_started_again_meanwhile(tmp_path: Path) -> None:
    watched = machine(tmp_path, silent=range(60, 120))
    for second in (70, 76, 100):
        watched.run(second - watched.second)
        watched.watching = [Alone(watched.settings)]
    watched.run(100)
    assert watched.told() == [("opened", "stall:source:roof"), ("over", "stall:source:roof")]


def test_a_hop_that_runs_on_other_machines_too_is_not_judged_by_what_is_seen_of_it_here(tmp_path: Path) -> None:
    watched = machine(tmp_path, dead={"history": range(60, 200)}, silent=range(60, 200), elsewhere=["history"])
    watched.run(200)
    assert watched.told() == [("opened", "stall:source:roof")]


def test_who_ends_on_purpose_is_not_missed(tmp_path: Path) -> None:
    watched = machine(tmp_path, dead={"feed": range(60, 200)})
    watched.run(60)
    watched.watching[0].tell(row("feed", 59, "roof"), at(60), ended=True)
    watched.run(100)
    assert watched.told() == []


def test_a_word_of_an_earlier_outage_is_no_dead_process(tmp_path: Path) -> None:
    watched = machine(tmp_path)
    watched.watching[0].tell(row("feed", 0, "other", "feed-killed-last-year"), at(-1000))
    watched.run(100)
    assert watched.told() == []


def test_what_is_torn_or_of_another_version_is_left_out(tmp_path: Path) -> None:
    outage = Outage(tmp_path)
    with outage.alone() as is_alone:
        assert is_alone
        with Outage(tmp_path).alone() as too:
            assert not too
    event = Event(at=at(1), key="stall:track", alert=None)
    outage.write_events([event])
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"key": "stall:live"}\n{"at": "2026-01-3')
    assert outage.events() == [event]
    outage.write_state(State(began_at=1.0, memory=None, open_names=["track"]))
    assert outage.state() == State(began_at=1.0, memory=None, open_names=["track"])
    (tmp_path / "state.json").write_text('{"unheard_of": 1}')
    assert outage.state() is None
    outage.end()
    assert not outage.is_on
    assert outage.events() == []


def test_platforms_that_share_a_folder_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = machine(tmp_path, silent=range(60, 200)), Settings.read(var=tmp_path, kafka_topic_prefix="other.")
    one.run(100)
    assert one.told() == [("opened", "stall:source:roof")]
    assert not Alone(other).is_on


def test_where_nothing_can_be_written_the_process_goes_on(tmp_path: Path) -> None:
    (tmp_path / "outage").write_text("no folder")
    alone = Alone(Settings.read(var=tmp_path))
    alone.tell(row("track", 0), at(0))
    alone.look(None, {}, at(0))


def test_what_a_heartbeat_leaves_is_read_as_what_postgres_would_have_given(tmp_path: Path) -> None:
    beat = Heartbeat(Settings.read(instance="feed / 1", var=tmp_path), Stage.FEED, source="roof")
    beat.watermark_ms = beat.source_clock_ms = 1_700_000_000_500
    beat.counts["accepted"] += 3
    beat.note = "running"
    outage, now = Outage(tmp_path), datetime.now(UTC)
    outage.write_beat(beat._row(), now)
    (read,) = outage.beats(time.time() - 60)
    assert (read.stage, read.instance, read.source, read.beat_at) == ("feed", "feed / 1", "roof", now)
    assert (read.watermark, read.counters) == (datetime.fromtimestamp(1_700_000_000.5, UTC), {"accepted": 3})
    outage.remove_beat(beat._row())
    assert outage.beats(0) == []
