"""Incidents and their delivery, on a real database and with receivers on real sockets."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

import psycopg
import pytest

from flight_platform.names import Stage
from flight_platform.testing import DatabaseUrls
from flight_platform.watch.alerts import Alert, open_stalls, settle
from flight_platform.watch.freshness import Cause, Stall
from flight_platform.watch.outbox import deliver, resend
from tests.integration.dagster.incidents import database, file_database
from tests.integration.dagster.receivers import Receiver, receiver

pytestmark = pytest.mark.integration

__all__ = ["database", "file_database"]  # fixtures: pytest finds them here

NOW = datetime.now(UTC)
ALARM, CLEAR = "[critical] stall:track", "[resolved] stall:track"


def alert(stage: Stage = Stage.TRACK, source: str = "") -> Alert:
    return Alert.of(
        Stall(stage=stage, source=source, since=NOW, last_good=None, cause=Cause.TRACKER_DEAD, detail="a test")
    )


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute("SELECT key, closed_at IS NULL FROM ops.incidents ORDER BY incident_id").fetchall()
    return [(key, is_open) for key, is_open in rows]


def an_hour_passes(connection: psycopg.Connection) -> None:
    """For the incidents and the messages that wait for their next try."""
    connection.execute(
        "UPDATE ops.incidents SET opened_at = opened_at - interval '1 hour', closed_at = closed_at - interval '1 hour',"
        " seen_at = seen_at - interval '1 hour'"
    )
    connection.execute(
        "UPDATE ops.outbox SET event_at = event_at - interval '1 hour', next_try_at = next_try_at - interval '1 hour'"
    )


def titles(told: Receiver) -> list[str]:
    return [sent["title"] for sent in told.got]


def test_a_stall_is_one_incident_however_often_it_is_seen_and_a_new_one_after_the_all_clear(
    connection: psycopg.Connection,
) -> None:
    assert settle(connection, [alert()], []).opened == ("stall:track",)
    assert settle(connection, [alert()], []).opened == ()
    assert open_stalls(connection) == ["track"]
    assert settle(connection, [], []).closed == ("stall:track",)
    assert settle(connection, [], []).closed == ()
    an_hour_passes(connection)
    assert settle(connection, [alert()], []).opened == ("stall:track",)
    assert incidents(connection) == [("stall:track", False), ("stall:track", True)]


def test_an_incident_of_another_kind_is_left_open(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO ops.incidents (key, hop, severity, summary, since)"
        " VALUES ('disk:1', 'history', 'info', 'the disk is full', now())"
    )
    changes = settle(connection, [], [])
    assert (changes.closed, changes.open) == ((), ("disk:1",))
    assert open_stalls(connection) == []


def test_many_who_see_the_same_stall_open_one_incident(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    def see(_: int) -> tuple[str, ...]:
        with psycopg.connect(database["postgres_url"], autocommit=True) as own:
            return settle(own, [alert()], ["json://x"]).opened

    with ThreadPoolExecutor(8) as pool:
        opened = [key for keys in pool.map(see, range(16)) for key in keys]
    assert opened == ["stall:track"]
    assert incidents(connection) == [("stall:track", True)]


def test_what_flaps_is_one_incident_which_is_over_after_a_longer_calm(connection: psycopg.Connection) -> None:
    with receiver() as told:
        url = [told.url()]
        for _ in range(4):  # it comes and goes each few seconds
            settle(connection, [alert()], url)
            settle(connection, [], url)
            deliver(connection, url)
        assert incidents(connection) == [("stall:track", True)]
        assert titles(told) == [ALARM, CLEAR, ALARM]
        an_hour_passes(connection)
        assert settle(connection, [], url).closed == ("stall:track",)
        deliver(connection, url)
        assert titles(told) == [ALARM, CLEAR, ALARM, CLEAR]
    reopened = connection.execute("SELECT reopened, reopened_at > opened_at FROM ops.incidents").fetchall()
    assert reopened == [(1, True)]


def test_each_receiver_is_told_once_of_the_alert_and_once_of_the_all_clear(connection: psycopg.Connection) -> None:
    with receiver() as one, receiver() as other:
        both = [one.url(), other.url()]
        settle(connection, [alert()], both)
        assert deliver(connection, both) == 2
        assert deliver(connection, both) == 0
        settle(connection, [], both)
        assert deliver(connection, both) == 2
        assert deliver(connection, both) == 0
        assert titles(one) == titles(other) == [ALARM, CLEAR]


def test_a_receiver_that_is_down_is_told_later_and_the_others_are_not_told_twice(
    connection: psycopg.Connection,
) -> None:
    with receiver() as good, receiver() as bad:
        bad.down = True
        both = [good.url(), bad.url()]
        settle(connection, [alert()], both)
        assert deliver(connection, both) == 1
        assert deliver(connection, both) == 0  # not at once: pauses grow
        settle(connection, [], both)
        an_hour_passes(connection)
        bad.down = False
        deliver(connection, both)
        deliver(connection, both)
        assert titles(good) == titles(bad) == [ALARM, CLEAR]  # in their order, though the first was late
        assert bad.refused == 1


def test_a_receiver_that_stays_away_for_a_day_is_given_up_and_the_incident_stands(
    connection: psycopg.Connection,
) -> None:
    with receiver() as bad:
        bad.down = True
        settle(connection, [alert()], [bad.url()])
        for _ in range(25):
            an_hour_passes(connection)
            deliver(connection, [bad.url()])
        tries = bad.refused
        an_hour_passes(connection)
        deliver(connection, [bad.url()])
        assert bad.refused == tries
    assert incidents(connection) == [("stall:track", True)]
    assert connection.execute("SELECT given_up_at IS NOT NULL FROM ops.outbox").fetchall() == [(True,)]


def test_of_two_who_tell_one_does(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    with receiver() as told:
        settle(connection, [alert()], [told.url()])

        def tell(_: int) -> int:
            with psycopg.connect(database["postgres_url"], autocommit=True) as own:
                return deliver(own, [told.url()])

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(tell, range(8))) == 1
        assert titles(told) == [ALARM]


def test_addresses_with_their_passwords_are_written_nowhere(connection: psycopg.Connection) -> None:
    settle(connection, [alert()], ["mailto://user:secret@mail.example"])
    text = connection.execute("SELECT string_agg(o::text || i::text, '') FROM ops.outbox o, ops.incidents i").fetchone()
    assert text is not None
    assert "secret" not in text[0]


def test_an_address_that_apprise_does_not_know_is_a_failed_attempt(connection: psycopg.Connection) -> None:
    settle(connection, [alert()], ["nonsense"])
    assert deliver(connection, ["nonsense"]) == 0


def test_alertmanager_is_told_the_same_labels_while_it_is_open_and_then_its_end(
    connection: psycopg.Connection,
) -> None:
    with receiver() as hub:
        url = [hub.url("http")]
        settle(connection, [alert()], url)
        assert deliver(connection, url) == 1
        assert resend(connection, url) == 1
        settle(connection, [], url)
        assert deliver(connection, url) == 1
        assert resend(connection, url) == 0
        sent = [one for posted in hub.got for one in posted]
    assert [one["labels"]["name"] for one in sent] == ["track"] * 3
    assert len({tuple(one["labels"].items()) for one in sent}) == 1
    assert datetime.fromisoformat(sent[1]["endsAt"]) > datetime.now(UTC) > datetime.fromisoformat(sent[2]["endsAt"])


def test_what_alertmanager_does_not_take_within_a_minute_goes_to_the_fallback_once(
    connection: psycopg.Connection,
) -> None:
    with ExitStack() as stack:
        hub, mail = stack.enter_context(receiver()), stack.enter_context(receiver())
        hub.down = True
        url, fallback = [hub.url("http")], [mail.url()]
        settle(connection, [alert()], url)
        deliver(connection, url, fallback=fallback)
        assert mail.got == []
        for _ in range(3):
            an_hour_passes(connection)
            deliver(connection, url, fallback=fallback)
        assert titles(mail) == [ALARM]
        hub.down = False
        an_hour_passes(connection)
        deliver(connection, url, fallback=fallback)
        assert len(hub.got) == 1
