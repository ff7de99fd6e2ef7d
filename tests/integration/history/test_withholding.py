"""History's door: an aircraft on the block list is counted and kept nowhere, from the very batch after the rule."""

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from flight_platform.codec import encode
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.writer import Writer
from flight_platform.model import address_of
from flight_platform.names import Treatment
from flight_platform.privacy.rules import Rule, Subject, add_rules, remove_rule
from tests.integration.history.filling import TOPIC, batch_of
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

NOW = datetime(2026, 9, 21, 14, 30, tzinfo=UTC)
NOW_S = int(NOW.timestamp())


def rule(treatment: Treatment = Treatment.DROP, **fields: Any) -> Rule:
    days = {name: fields.pop(name) for name in ("since", "until") if name in fields}
    subject = Subject.of(**fields)
    return Rule(subject=subject, treatment=treatment, reason="asked", address=subject.icao24, **days)


class History:
    """One writer, which lives through all that is changed meanwhile."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection, self.now_s = connection, NOW_S
        self._next = start_offsets(connection, TOPIC, {0: Span(start=0, stop=1 << 40)})[0]
        self._writer = Writer(connection, lambda: self.now_s * 1000)
        self._second = 0

    def write(self, *aircraft: str, **fields: Any) -> tuple[int, int]:
        """A report of each; how many were written and how many withheld."""
        self._second += 1
        values = [encode(report(one, NOW_S, (NOW_S + self._second) * 1000, **fields)) for one in aircraft]
        written = self._writer.write(batch_of(values, start=self._next))
        self._next += len(values)
        return written.rows, written.withheld

    def aircraft(self) -> set[int]:
        rows = self.connection.execute("SELECT DISTINCT flight_id >> 32 FROM history.positions").fetchall()
        return {address for (address,) in rows}


@pytest.fixture
def history(connection: psycopg.Connection) -> History:
    return History(connection)


def test_a_rule_holds_from_the_next_batch_until_it_is_removed(history: History) -> None:
    assert history.write("4ca001", "4ca002") == (2, 0)
    numbers = add_rules(history.connection, [rule(icao24="4CA001")], actor="me")
    assert history.write("4ca001", "4ca002", "~4ca001") == (2, 1)
    assert history.write("4ca001") == (0, 1)  # nothing is left of the batch, and its offset moves
    removed = remove_rule(history.connection, numbers[0], actor="me", reason="withdrawn")
    assert removed is not None
    assert removed.subject == Subject(icao24="4ca001")
    assert history.write("4ca001") == (1, 0)
    ledger = history.connection.execute(
        "SELECT records, rows, withheld FROM ops.ledger ORDER BY from_offset"
    ).fetchall()
    assert ledger == [(2, 2, 0), (3, 2, 1), (1, 0, 1), (1, 1, 0)]


@pytest.mark.parametrize("treatment", Treatment)
def test_by_callsign_whatever_the_treatment(treatment: Treatment, history: History) -> None:
    add_rules(history.connection, [rule(treatment, callsign="dlh1 ")], actor="me")
    assert history.write("4ca001", callsign="DLH1") == (0, 1)
    assert history.write("4ca001", callsign="DLH12") == (1, 0)
    assert history.write("4ca001", callsign=None) == (1, 0)


def test_by_registration_as_soon_as_the_table_knows_it(history: History) -> None:
    add_rules(history.connection, [rule(registration="d-aima")], actor="me")
    assert history.write("3c65a1") == (1, 0)
    history.connection.execute("INSERT INTO reference.aircraft (icao24, registration) VALUES ('3c65a1', 'DAIMA')")
    try:
        assert history.write("3c65a1", "3c65a2") == (1, 1)
    finally:
        history.connection.execute("TRUNCATE reference.aircraft")
    assert history.write("3c65a1") == (1, 0)


def test_a_rule_counts_on_its_days(history: History) -> None:
    days: dict[str, Any] = {"since": date(2026, 9, 21), "until": date(2026, 9, 22)}
    add_rules(history.connection, [rule(icao24="4ca001", **days)], actor="me")
    kept = []
    for day in (-1, 0, 1, 2):
        history.now_s = NOW_S + day * 86_400
        kept.append(history.write("4ca001"))
    assert kept == [(1, 0), (0, 1), (0, 1), (1, 0)]


def test_repeats_of_the_withheld_add_up(history: History) -> None:
    """Through staging too, where a batch is tried twice."""
    history.write("4ca001", "4ca002")
    add_rules(history.connection, [rule(icao24="4ca001")], actor="me")
    history._second -= 1  # the same reports once more, and a third
    assert history.write("4ca001", "4ca002", "4ca003", "4ca003") == (1, 1)
    assert history.aircraft() == {address_of("4ca001"), address_of("4ca002"), address_of("4ca003")}
    last = history.connection.execute(
        "SELECT records, rows, repeats, quarantined, withheld FROM ops.ledger ORDER BY from_offset DESC LIMIT 1"
    ).fetchone()
    assert last == (4, 1, 2, 0, 1)
