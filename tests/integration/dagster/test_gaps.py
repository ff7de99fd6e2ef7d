"""What is lost for good becomes a row of `ops.gaps`: a made-up feed beats into a real database, by the second."""

import psycopg
import pytest

from flight_platform.history.offsets import Span, start_offsets
from flight_platform.watch import conditions
from tests.integration.dagster.incidents import database, file_database
from tests.integration.dagster.watched import Watch

pytestmark = pytest.mark.integration

__all__ = ["database", "file_database"]  # fixtures: pytest finds them here


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
