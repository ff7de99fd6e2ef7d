"""What is lost for good becomes a row of `ops.gaps`: a made-up feed beats into a real database, by the second."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from flight_platform import alerts, conditions, freshness, gaps
from flight_platform.history.offsets import Span, start_offsets
from tests.integration.dagster.incidents import database, file_database

pytestmark = pytest.mark.integration

__all__ = ["database", "file_database"]  # fixtures: pytest finds them here

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
THRESHOLD_S = 15.0
LOOK_S = 5
_BEAT = """
    INSERT INTO ops.heartbeats
        (stage, instance, source, started_at, beat_at, watermark, source_clock, rss_bytes, note, pid, repeatable,
        counters)
    VALUES ('feed', 'feed-1', 'roof', %(started_at)s, %(beat_at)s, %(told_at)s, %(told_at)s, 1, 'running', 1,
        %(repeatable)s, jsonb_build_object('overflowed', %(overflowed)s::int))
    ON CONFLICT (stage, instance, source) DO UPDATE SET started_at = excluded.started_at, beat_at = excluded.beat_at,
        watermark = excluded.watermark, source_clock = excluded.source_clock, counters = excluded.counters
"""


@dataclass
class Watch:
    """A feed of a source, and who looks at it every five seconds."""

    connection: psycopg.Connection
    repeatable: bool = False
    second: int = 0
    started_s: int = 0
    told_s: int = 0
    overflowed: int = 0
    memory: freshness.Memory | None = None
    opened: list[str] = field(default_factory=list)

    def run(self, seconds: int, *, alive: bool = True, gives: bool = True) -> None:
        for _ in range(seconds // LOOK_S):
            self.second += LOOK_S
            if alive:
                self.told_s = self.second if gives else self.told_s
                self.beat()
            self.look()

    def beat(self) -> None:
        moments = {"started_at": self.started_s, "beat_at": self.second, "told_at": self.told_s}
        arguments: dict[str, Any] = {name: at(second) for name, second in moments.items()}
        self.connection.execute(_BEAT, arguments | {"repeatable": self.repeatable, "overflowed": self.overflowed})

    def stop(self) -> None:
        self.connection.execute("DELETE FROM ops.heartbeats WHERE stage = 'feed'")

    def look(self) -> None:
        names = alerts.open_stalls(self.connection)
        now = at(self.second)
        seen = freshness.look(self.connection, self.memory, names, threshold_s=THRESHOLD_S, now=now)
        self.memory = seen.memory
        self.opened += alerts.settle(self.connection, [alerts.Alert.of(s) for s in seen.stalls], []).opened
        gaps.record(self.connection, seen, threshold_s=THRESHOLD_S)

    def gaps(self) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT g.hop, g.cause, g.from_time, g.to_time, i.key FROM ops.gaps g LEFT JOIN ops.incidents i"
            " USING (incident_id) WHERE g.source = 'roof' ORDER BY gap_id"
        ).fetchall()
        return [
            (hop, cause, seconds_of(begins), ends and seconds_of(ends), key) for hop, cause, begins, ends, key in rows
        ]


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def seconds_of(moment: datetime) -> int:
    return round((moment - START).total_seconds())


def test_what_a_silent_source_could_not_give_is_a_gap_of_its_incident(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    watch.run(60)
    watch.run(40, gives=False)
    assert watch.gaps() == [("source", "source_away", 60, None, "stall:source:roof")]
    watch.run(20)
    assert watch.gaps() == [("source", "source_away", 60, 105, "stall:source:roof")]
    watch.run(60)
    assert len(watch.gaps()) == 1


def test_what_came_while_a_feed_was_dead_is_a_gap(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    watch.run(60)
    watch.run(60, alive=False)
    assert watch.gaps() == [("feed", "feed_away", 60, None, "stall:feed:roof")]
    watch.started_s = watch.second
    watch.run(30)
    assert watch.gaps() == [("feed", "feed_away", 60, 125, "stall:feed:roof")]


def test_a_feed_that_was_stopped_on_purpose_is_not_missed_and_leaves_a_gap(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    watch.run(60)
    watch.stop()
    watch.run(600, alive=False)
    assert watch.gaps() == []
    watch.started_s = watch.second
    watch.run(30)
    assert watch.gaps() == [("feed", "feed_away", 60, 660, None)]
    assert [key for key in watch.opened if "roof" in key] == []


def test_a_quick_restart_and_a_source_that_can_repeat_leave_none(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    watch.run(60)
    watch.stop()
    watch.run(10, alive=False)
    watch.started_s = watch.second
    watch.run(30)
    watch.stop()
    recording = Watch(connection, repeatable=True, second=watch.second)
    recording.run(60)
    recording.run(60, gives=False)
    assert watch.gaps() == []
    assert "stall:source:roof" in recording.opened


def test_what_a_full_disk_of_a_feed_lost_is_a_gap_and_an_alert(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    watch.run(60)
    watch.overflowed = 1000
    watch.run(5, gives=False)
    watch.overflowed = 2000
    watch.run(5, gives=False)
    assert watch.gaps() == [("feed", "overflowed", 60, None, None)]
    assert [alert.key for alert in conditions.losses(connection)] == ["loss:feed:roof"]
    watch.run(10)
    assert watch.gaps() == [("feed", "overflowed", 60, 75, None)]


def test_what_expired_unread_in_kafka_is_a_gap_and_an_alert(connection: psycopg.Connection) -> None:
    start_offsets(connection, "flight.positions", {0: Span(start=0, stop=10)})
    start_offsets(connection, "flight.positions", {0: Span(start=5, stop=10)})
    (alert,) = conditions.losses(connection)
    assert (alert.key, alert.severity) == ("loss:history", "critical")
    connection.execute("UPDATE ops.gaps SET filled_at = now()")
    assert conditions.losses(connection) == []
