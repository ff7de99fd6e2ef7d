"""Incidents and their delivery, on a real database."""

import http.server
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from flight_platform.alerts import MAX_ATTEMPTS, Alert, deliver, open_stalls, settle
from flight_platform.freshness import Stall
from flight_platform.names import Stage
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)


def alert(stage: Stage = Stage.TRACK, source: str = "") -> Alert:
    return Alert.of(Stall(stage=stage, source=source, since=NOW, last_good=None, cause="a test"))


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute("SELECT key, closed_at IS NULL FROM ops.incidents ORDER BY incident_id").fetchall()
    return [(key, is_open) for key, is_open in rows]


class Receivers:
    """Stands for apprise: remembers what each address was told; some do not take it."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.told, self.asked = set(failing), list[tuple[str, str]](), list[str]()

    def __call__(self, address: str, title: str, _body: str) -> bool:
        self.asked.append(address)
        if address in self.failing:
            raise ConnectionError(address)
        self.told.append((address, title))
        return True


def test_a_stall_is_one_incident_however_often_it_is_seen_and_a_new_one_after_the_all_clear(
    connection: psycopg.Connection,
) -> None:
    assert settle(connection, [alert()], []).opened == ("stall:track",)
    assert settle(connection, [alert()], []).opened == ()
    assert open_stalls(connection) == ["track"]
    assert settle(connection, [], []).closed == ("stall:track",)
    assert settle(connection, [], []).closed == ()
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


def test_each_receiver_is_told_once_of_the_alert_and_once_of_the_all_clear(connection: psycopg.Connection) -> None:
    receivers, both = Receivers(), ["json://a", "json://b"]
    settle(connection, [alert()], both)
    assert deliver(connection, both, receivers) == 2
    assert deliver(connection, both, receivers) == 0
    settle(connection, [], both)
    deliver(connection, both, receivers)
    deliver(connection, both, receivers)
    alarm, clear = "[critical] track has stopped", "[resolved] track moves again"
    assert sorted(receivers.told) == sorted((address, title) for address in both for title in (alarm, clear))


def test_a_receiver_that_fails_is_tried_again_and_the_others_are_not_told_twice(
    connection: psycopg.Connection,
) -> None:
    receivers, both = Receivers("json://b"), ["json://a", "json://b"]
    settle(connection, [alert()], both)
    deliver(connection, both, receivers)
    receivers.failing.clear()
    deliver(connection, both, receivers)
    assert [address for address, _ in receivers.told] == ["json://a", "json://b"]


def test_a_receiver_is_given_up_after_some_tries_and_the_incident_stands(connection: psycopg.Connection) -> None:
    receivers = Receivers("json://b")
    settle(connection, [alert()], ["json://b"])
    for _ in range(MAX_ATTEMPTS + 3):
        deliver(connection, ["json://b"], receivers)
    assert len(receivers.asked) == MAX_ATTEMPTS
    assert incidents(connection) == [("stall:track", True)]
    row = connection.execute("SELECT detail -> 'given_up' FROM ops.incidents").fetchone()
    assert row is not None
    assert len(row[0]) == 1


def test_addresses_with_their_passwords_are_written_nowhere(connection: psycopg.Connection) -> None:
    settle(connection, [alert()], ["mailto://user:secret@mail.example"])
    row = connection.execute("SELECT detail::text FROM ops.incidents").fetchone()
    assert row is not None
    assert "secret" not in row[0]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A real receiver: apprise's json:// address of it, and what it was sent."""
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def test_apprise_carries_an_alert_to_a_real_receiver(
    connection: psycopg.Connection, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    address, got = webhook
    settle(connection, [alert(Stage.SOURCE, "paris")], [address])
    assert deliver(connection, [address]) == 1
    assert [(sent["title"], "Likely cause: a test" in sent["message"]) for sent in got] == [
        ("[critical] source:paris has stopped", True)
    ]


def test_an_address_that_apprise_does_not_know_is_a_failed_attempt(connection: psycopg.Connection) -> None:
    settle(connection, [alert()], ["nonsense"])
    assert deliver(connection, ["nonsense"]) == 0
