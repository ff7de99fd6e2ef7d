"""A made-up feed that beats into a real database, by the second, and the watchman that looks at it every five."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from flight_platform.settings import Settings
from flight_platform.watch import watchman
from flight_platform.watch.freshness import Memory

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = Settings.read(stall_threshold_s=15)
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
    memory: Memory | None = None
    opened: list[str] = field(default_factory=list)

    def run(self, seconds: int, *, alive: bool = True, gives: bool = True) -> None:
        for _ in range(seconds // LOOK_S):
            self.step(LOOK_S, alive=alive, gives=gives)
            self.look()

    def step(self, seconds: int, *, alive: bool = True, gives: bool = True) -> None:
        """Nobody looks."""
        self.second += seconds
        if alive:
            self.told_s = self.second if gives else self.told_s
            self.beat()

    def beat(self) -> None:
        moments = {"started_at": self.started_s, "beat_at": self.second, "told_at": self.told_s}
        arguments: dict[str, Any] = {name: at(second) for name, second in moments.items()}
        self.connection.execute(_BEAT, arguments | {"repeatable": self.repeatable, "overflowed": self.overflowed})

    def stop(self) -> None:
        self.connection.execute("DELETE FROM ops.heartbeats WHERE stage = 'feed'")

    def look(self) -> None:
        """The watchman's."""
        done = watchman.go_round(self.connection, SETTINGS, self.memory, now=at(self.second))
        self.memory = done.sighting.memory
        self.opened += done.changes.opened

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
