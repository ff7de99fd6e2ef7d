"""While Dagster is silent the processes of the data plane look in its place: nothing that ends meanwhile is missed."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from flight_platform.codec import unix_ms
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watchman import Deputy
from tests.integration.dagster.incidents import database, file_database
from tests.integration.dagster.receivers import receiver
from tests.integration.dagster.watched import SETTINGS, Watch, at

pytestmark = pytest.mark.integration

__all__ = ["database", "file_database"]  # fixtures: pytest finds them here

LONG_AGO = -100  # when the deputies' processes started, in the seconds of the made-up feed


class Deputies:
    """Several processes that look; each second is one of the made-up feed's."""

    def __init__(self, watch: Watch, settings: Settings, *, started: int = LONG_AGO) -> None:
        self.watch, self.opened, self.closed = watch, list[str](), list[str]()
        self._second = started
        self._all = [Deputy(settings, self._clock) for _ in range(3)]

    def run(self, seconds: int, silence_s: Callable[[int], float | None], **feed: bool) -> None:
        """Each second another one is asked: the looks of one lie six seconds apart, those of two a second or more."""
        for _ in range(seconds):
            self.watch.step(1, **feed)
            self._second = self.watch.second
            deputy = self._all[self.watch.second % 3]
            done = deputy.look(self.watch.connection, silence_s(self.watch.second), now=at(self.watch.second))
            if done is not None:
                self.opened += done.changes.opened
                self.closed += done.changes.closed

    def _clock(self) -> float:
        return float(self._second)


def incidents(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT key, cause, closed_at IS NULL, reopened FROM ops.incidents WHERE source = 'roof' ORDER BY incident_id"
    ).fetchall()


def test_a_stall_that_begins_and_ends_while_dagster_is_down_is_an_incident_and_a_gap(
    database: DatabaseUrls, connection: psycopg.Connection
) -> None:
    with receiver() as told:
        watch = Watch(connection)
        deputies = Deputies(watch, SETTINGS.model_copy(update={"alert_urls": (told.url(),), **hidden(database)}))
        watch.run(60)
        deputies.run(5, lambda second: second - 60)
        deputies.run(30, lambda second: second - 60, gives=False)
        assert deputies.opened == ["stall:source:roof"]
        wait_until(lambda: [sent["title"] for sent in told.got] == ["[critical] stall:source:roof"], 60, "the alert")
        deputies.run(30, lambda second: second - 60)
        assert deputies.closed == ["stall:source:roof"]
        assert incidents(connection) == [("stall:source:roof", "source_stalled", False, 0)]
        (gap,) = watch.gaps()
        assert gap[:3] == ("source", "source_away", 65)
        assert 96 <= gap[3] <= 101
        watch.run(60)  # Dagster is back
        assert len(watch.gaps()) == len(incidents(connection)) == 1


def test_a_feed_that_was_dead_and_is_back_before_dagster_is_one_too(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    deputies = Deputies(watch, SETTINGS)
    watch.run(60)
    deputies.run(40, lambda second: second - 60, alive=False)
    watch.started_s = watch.second
    deputies.run(30, lambda second: second - 60)
    assert incidents(connection) == [("stall:feed:roof", "feed_dead", False, 0)]
    assert watch.gaps() == [("feed", "feed_away", 60, pytest.approx(101, abs=5), "stall:feed:roof")]


def test_what_began_under_dagsters_eyes_ends_when_it_ends(connection: psycopg.Connection) -> None:
    watch = Watch(connection)
    deputies = Deputies(watch, SETTINGS)
    watch.run(60)
    watch.run(30, gives=False)
    deputies.run(60, lambda second: second - 90, gives=False)
    deputies.run(60, lambda second: second - 90)
    watch.run(600)
    assert incidents(connection) == [("stall:source:roof", "source_stalled", False, 0)]
    assert watch.gaps() == [("source", "source_away", 60, pytest.approx(152, abs=5), "stall:source:roof")]


@pytest.mark.parametrize(
    ("silence_s", "started"),
    [(lambda _: 4.0, LONG_AGO), (lambda _: None, LONG_AGO), (lambda second: second - 60, 60)],
    ids=["Dagster looks", "there never was one", "all has just started"],
)
def test_they_leave_it_to_dagster_where_it_is_there_or_about_to_be(
    connection: psycopg.Connection, silence_s: Callable[[int], float | None], started: int
) -> None:
    watch = Watch(connection)
    watch.run(60)
    deputies = Deputies(watch, SETTINGS, started=started)
    deputies.run(50, silence_s, gives=False)
    assert incidents(connection) == []
    assert watch.gaps() == []


_CONSUMER = """
    INSERT INTO ops.heartbeats (stage, instance, started_at, beat_at, watermark, watermarks, rss_bytes, note, pid)
    VALUES (%(stage)s, '1', %(at)s, %(at)s, %(at)s, %(watermarks)s::jsonb, 1, 'running', 1)
    ON CONFLICT (stage, instance, source) DO UPDATE SET
        beat_at = excluded.beat_at, watermark = excluded.watermark, watermarks = excluded.watermarks
"""


def test_a_source_that_alone_stands_behind_at_a_hop_is_an_incident_that_names_both(
    connection: psycopg.Connection,
) -> None:
    watch = Watch(connection)
    behind_s = 0
    for second in range(5, 200, 5):
        watch.step(5)
        behind_s = second if not 60 <= second < 120 else behind_s
        for stage in ("track", "live", "history"):
            roof_s = behind_s if stage == "history" else second
            marks = {"roof": unix_ms(at(roof_s)), "bern": unix_ms(at(second))}
            connection.execute(_CONSUMER, {"stage": stage, "at": at(second), "watermarks": json.dumps(marks)})
        watch.look()
        if second == 100:
            assert watch.opened == ["stall:history:roof"]
    rows = connection.execute("SELECT hop, source, cause, summary, last_good, closed_at IS NULL FROM ops.incidents")
    summary = "history stands behind with source roof: it goes on with other sources, and takes nothing of this one"
    assert rows.fetchall() == [("history", "roof", "source_behind", summary, at(55), False)]


def hidden(urls: DatabaseUrls) -> dict[str, Any]:
    """The address as the settings hold it."""
    return {"postgres_url": Settings.read(postgres_url=urls["postgres_url"]).postgres_url}
