"""While Dagster is silent the processes of the data plane look in its place: nothing that ends meanwhile is missed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flight_platform.codec import unix_ms
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watch import alerts, outbox
from flight_platform.watch.freshness import Cause, Stall
from flight_platform.watch.outage import Outage, folder_of
from flight_platform.watch.watchman import Deputy
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
        self._settings, self._second = settings, started
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

    def run_alone(self, seconds: int, *, gives: bool = True) -> None:
        """The same where Postgres takes no heartbeat: it is left in a file."""
        for _ in range(seconds):
            self.watch.second += 1
            self.watch.told_s = self.watch.second if gives else self.watch.told_s
            self._second = self.watch.second
            told = at(self.watch.told_s)
            row = {"stage": "feed", "instance": "feed-1", "source": "roof", "watermark": told, "source_clock": told}
            row |= {"started_at": at(self.watch.started_s), "note": "running", "repeatable": False}
            row |= {"watermarks": "{}", "counters": "{}", "concerns": "{}"}
            self._all[self.watch.second % 3].look_alone(row, False, now=at(self.watch.second))

    def restart(self) -> None:
        """Others take their places."""
        self._all = [Deputy(self._settings, self._clock) for _ in range(3)]

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


def test_what_was_seen_while_postgres_was_away_is_told_when_it_is_back_in_its_order_and_with_its_times(
    database: DatabaseUrls, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with receiver() as told:
        settings = SETTINGS.model_copy(update={"alert_urls": (told.url(),), "var": tmp_path, **hidden(database)})
        watch = Watch(connection)
        deputies = Deputies(watch, settings)
        deputies.run(60, lambda _: 2.0)
        deputies.run_alone(20)
        deputies.run_alone(40, gives=False)  # from 81 to 120
        deputies.restart()
        deputies.run_alone(120)  # it is over, and comes back, and is not over when Postgres is back
        deputies.run_alone(30, gives=False)  # from 241 on
        assert incidents(connection) == []
        deputies.run(5, lambda _: 2.0, gives=False)
        rows = connection.execute(
            "SELECT key, since, opened_at, reopened_at, closed_at IS NULL FROM ops.incidents WHERE source = 'roof'"
        ).fetchall()
        ((key, since, opened_at, reopened_at, is_open),) = rows
        assert (key, is_open) == ("stall:source:roof", True)
        assert at(75) <= since <= at(85)
        assert at(95) <= opened_at <= at(106)
        assert at(255) <= reopened_at <= at(270)
        said = connection.execute("SELECT event, event_at FROM ops.outbox ORDER BY outbox_id").fetchall()
        assert [event for event, _ in said] == ["opened", "closed", "opened"]
        assert at(120) <= said[1][1] <= at(135), "when it was over, and not when Postgres heard of it"
        for _ in range(3):
            outbox.tell(connection, settings, again=False)
        critical, resolved = "[critical] stall:source:roof", "[resolved] stall:source:roof"
        assert [sent["title"] for sent in told.got] == [critical, resolved, critical]
        assert not list((tmp_path / "outage").rglob("*.json*"))


def test_what_was_open_before_is_over_when_it_was_over_and_what_is_told_twice_is_written_once(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"var": tmp_path})
    watch = Watch(connection)
    deputies = Deputies(watch, settings)
    deputies.run(40, lambda _: 2.0)
    watch.run(30, gives=False)
    deputies.run(10, lambda _: 2.0, gives=False)
    assert incidents(connection) == [("stall:source:roof", "source_stalled", True, 0)]
    connection.execute("UPDATE ops.incidents SET opened_at = %s", [at(60)])  # the made-up clock's, not Postgres'
    deputies.run_alone(10, gives=False)
    deputies.run_alone(100)  # from 91 on
    events = Outage(folder_of(settings)).events()
    for _ in range(2):  # as where it dies before it has forgotten what it has told
        alerts.catch_up(connection, events, [])
    ((closed_at,),) = connection.execute("SELECT closed_at FROM ops.incidents").fetchall()
    assert at(91) <= closed_at <= at(106)
    deputies.run(5, lambda _: 2.0)
    assert incidents(connection) == [("stall:source:roof", "source_stalled", False, 0)]


def test_what_postgres_refuses_is_kept_and_keeps_nobody_from_looking(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"var": tmp_path})
    deputies = Deputies(Watch(connection), settings)
    deputies.run_alone(10)
    stall = Stall(stage=Stage.TRACK, source="", since=at(0), last_good=None, cause=Cause.TRACKER_DEAD, detail="a test")
    alert = replace(alerts.Alert.of(stall), severity="unheard of")
    Outage(folder_of(settings)).write_events([alerts.Event(at=at(5), key=alert.key, alert=alert)])
    deputies.run(10, lambda _: 2.0)
    assert connection.execute("SELECT count(*) FROM ops.incidents").fetchone() == (0,)
    (refused,) = tmp_path.rglob("events.*")
    assert "unheard of" in refused.read_text()


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
