"""Verdicts on a real database: a red hour is red until it is mended or accepted, and an acceptance has its limits."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from flight_platform.errors import FlightError
from flight_platform.history.hour_alerts import settle_hours
from flight_platform.history.verdicts import (
    NotRedError,
    Presence,
    accept_hour,
    list_verdicts,
    may_compact,
    record_verdict,
    red_hours,
)
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watch.alerts import open_incidents, settling

pytestmark = pytest.mark.integration

HOUR = datetime(2026, 9, 21, 14, tzinfo=UTC)
NEXT = HOUR + timedelta(hours=1)


def judge(connection: psycopg.Connection, hour: datetime, *names: str, rows: int = 100) -> None:
    failures: list[dict[str, Any]] = [{"name": name, "observed": "3 of 100"} for name in names]
    record_verdict(connection, hour, passed=not names, rows=rows, failures=failures)


def red(connection: psycopg.Connection) -> list[datetime]:
    return [each.hour for each in red_hours(connection)]


def test_an_hour_that_was_never_judged_may_not_be_compacted_and_one_that_passed_may(
    connection: psycopg.Connection,
) -> None:
    assert not may_compact(connection, HOUR)
    judge(connection, HOUR)
    assert may_compact(connection, HOUR + timedelta(minutes=30))
    assert not may_compact(connection, NEXT)


def test_a_red_hour_stays_red_behind_newer_green_ones_until_it_is_mended(connection: psycopg.Connection) -> None:
    judge(connection, HOUR, "altitude is possible")
    judge(connection, HOUR, "altitude is possible", "squawk is octal")
    judge(connection, NEXT)
    (found,) = red_hours(connection)
    assert (found.hour, found.names) == (HOUR, ("altitude is possible", "squawk is octal"))
    first = connection.execute("SELECT min(judged_at) FROM ops.verdicts WHERE hour = %s", [HOUR]).fetchone()
    assert first == (found.since,)
    assert not may_compact(connection, HOUR)
    judge(connection, HOUR)
    assert (red(connection), may_compact(connection, HOUR)) == ([], True)


def test_red_is_since_the_first_red_look_after_the_last_good_one(connection: psycopg.Connection) -> None:
    judge(connection, HOUR, "a")
    judge(connection, HOUR)
    judge(connection, HOUR, "b")
    last = connection.execute("SELECT max(judged_at) FROM ops.verdicts").fetchone()
    assert [(each.since,) for each in red_hours(connection)] == [last]


def test_an_accepted_hour_may_be_compacted_and_who_why_and_what_is_recorded(connection: psycopg.Connection) -> None:
    judge(connection, HOUR, "altitude is possible")
    accept_hour(connection, HOUR, by=" ada ", reason="a receiver on a test bench")
    assert (red(connection), may_compact(connection, HOUR)) == ([], True)
    row = connection.execute("SELECT accepted_by, reason, failures, lapsed_at FROM ops.acceptances").fetchone()
    assert row == ("ada", "a receiver on a test bench", ["altitude is possible"], None)
    (listed,) = list_verdicts(connection, HOUR, NEXT)
    assert (listed["accepted_by"], listed["accepted_reason"]) == ("ada", "a receiver on a test bench")


@pytest.mark.parametrize(
    ("then", "holds"),
    [(["a"], True), (["a", "b"], False), (["b"], False), ([], False)],
    ids=["same", "more", "other", "none"],
)
def test_an_acceptance_is_of_the_failures_that_were_known(
    connection: psycopg.Connection, then: list[str], holds: bool
) -> None:
    judge(connection, HOUR, "a")
    accept_hour(connection, HOUR, by="ada", reason="known")
    judge(connection, HOUR, *then)
    (listed,) = list_verdicts(connection, HOUR, NEXT)
    assert (listed["accepted_at"] is not None) == holds
    assert red(connection) == ([] if holds or not then else [HOUR])
    lapsed = connection.execute("SELECT lapsed_at IS NOT NULL FROM ops.acceptances").fetchone()
    assert lapsed == (not holds,)


def test_only_a_red_hour_is_accepted_and_only_by_somebody_for_a_reason(connection: psycopg.Connection) -> None:
    with pytest.raises(NotRedError, match="2026-09-21 14:00 UTC is not red"):
        accept_hour(connection, HOUR, by="ada", reason="why not")
    judge(connection, HOUR)
    with pytest.raises(NotRedError):
        accept_hour(connection, HOUR, by="ada", reason="why not")
    judge(connection, HOUR, "a")
    for by, reason in (("", "known"), ("ada", " ")):
        with pytest.raises(FlightError, match="for a reason"):
            accept_hour(connection, HOUR, by=by, reason=reason)
    assert red(connection) == [HOUR]


def test_a_verdict_that_contradicts_itself_is_a_defect(connection: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="passes where it has no failure"):
        record_verdict(connection, HOUR, passed=True, rows=1, failures=[{"name": "a"}])


def test_what_the_absence_of_rows_means_is_kept(connection: psycopg.Connection) -> None:
    record_verdict(connection, HOUR, passed=False, rows=0, failures=[{"name": "rows"}], presence=Presence.MISSING)
    assert [each.presence for each in red_hours(connection)] == [Presence.MISSING]


def test_who_looked_before_an_hour_was_accepted_opens_no_incident_of_it_afterwards(
    database: DatabaseUrls, connection: psycopg.Connection
) -> None:
    judge(connection, HOUR, "a")
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    def settle(own: psycopg.Connection) -> None:
        settle_hours(own, Settings.read(), datetime.now(UTC), oldest_raw=timedelta(days=36_500))

    with psycopg.connect(database["postgres_url"], autocommit=True) as other:
        late = threading.Thread(target=settle, args=[other])
        with settling(connection):
            late.start()
            wait_until(lambda: connection.execute(waits).fetchone() == (1,), 60, "the other one to wait")
            accept_hour(connection, HOUR, by="ada", reason="a test bench")
        late.join()
    assert open_incidents(connection) == []
