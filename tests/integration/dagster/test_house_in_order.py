"""Dagster's real daemon after three days of downtime: two ticks later all that was missed is asked for, and is done.

The clock is simulated by the data: this instance looked last three days ago, and everything since lies there unseen.
One of the hours is red; it is accepted, as an operator does, and may be compacted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from assets.hours import KEY
from assets.partitions import HOUR, RANGE_END, RANGE_START, hour_of, hours_ahead, key_of
from assets.schedules import look_at_hours, make_partitions
from checks.hours import last_closed
from cli.main import main
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.partitions import ensure_hour, list_hours
from flight_platform.history.verdicts import may_compact, record_verdict
from flight_platform.testing import DatabaseUrls, wait_until
from tests.integration.dagster.test_daemon import daemon
from tests.integration.dagster.test_hours import fill, incidents

pytestmark = [pytest.mark.integration, pytest.mark.acceptance, pytest.mark.alone]

DOWNTIME_H = 72
PATIENCE_S = 400  # a daemon, its code server and runs as processes: on a busy machine each takes its time
NEWEST = last_closed(datetime.now(UTC))  # when this file is read: one or the other more may close until it is over
LAST_SEEN = NEWEST - DOWNTIME_H * HOUR
RED, GREEN = NEWEST - 40 * HOUR, NEWEST - 30 * HOUR


@pytest.fixture
def dagster_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A database for Dagster's own."""
    name = sql.Identifier("dagster_after_a_downtime")
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield postgres_server.url("dagster_after_a_downtime")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def instance(
    database: DatabaseUrls, dagster_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The daemon's own instance, seen from here."""
    monkeypatch.setenv("FLIGHT_DAGSTER_URL", dagster_url)
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", database["postgres_url"])
    monkeypatch.setenv("FLIGHT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("FLIGHT_VAR", str(tmp_path / "var"))
    (tmp_path / "dagster.yaml").write_text((Path(__file__).resolve().parents[3] / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


def as_it_was_left(connection: psycopg.Connection, instance: dg.DagsterInstance) -> None:
    """What stood three days ago: the hours up to then judged, the leaves up to four days from now; and data since."""
    connection.execute("INSERT INTO ops.offsets VALUES ('flight.positions', 0, 10)")
    connection.execute(
        "INSERT INTO ops.ledger (topic, kafka_partition, from_offset, to_offset, written_at, records, rows, repeats,"
        " quarantined, late) VALUES ('flight.positions', 0, 0, 10, %s, 10, 10, 0, 0, 0)",
        [LAST_SEEN + timedelta(minutes=5)],
    )
    fill(connection, LAST_SEEN)
    record_verdict(connection, LAST_SEEN, passed=True, rows=20, failures=[], reported=True)
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=key_of(LAST_SEEN)))
    for hour in hours_ahead(datetime.now(UTC))[:-DOWNTIME_H]:
        ensure_hour(connection, hour)
    fill(connection, RED, altitude_ft=900_000)
    fill(connection, GREEN)


def asked_for(instance: dg.DagsterInstance, job: str) -> list[list[datetime]]:
    """The hours of each run of a job that makes up for several. (Of an hour alone: it began or closed meanwhile.)"""
    ranges = [(run.tags[RANGE_START], run.tags[RANGE_END]) for run in instance.get_runs(dg.RunsFilter(job_name=job))]
    spans = [(hour_of(first), hour_of(last)) for first, last in ranges]
    return [
        [first + n * HOUR for n in range(round((last - first) / HOUR) + 1)] for first, last in spans if first != last
    ]


def seen(instance: dg.DagsterInstance) -> set[datetime]:
    """The closed hours that were asked for."""
    return {hour for hours in asked_for(instance, look_at_hours.name) for hour in hours}


def ticks(instance: dg.DagsterInstance, name: str) -> int:
    """How often a sensor has looked."""
    (state,) = [state for state in instance.all_instigator_state() if state.name == name]
    return len(instance.get_ticks(state.instigator_origin_id, state.selector_id))


@pytest.mark.timeout(1200)
def test_after_three_days_all_that_was_missed_is_asked_for_within_two_ticks_and_a_red_hour_is_somebodys(
    database: DatabaseUrls,
    dagster_url: str,
    connection: psycopg.Connection,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    as_it_was_left(connection, instance)
    missed = {NEWEST - n * HOUR for n in range(DOWNTIME_H)}
    with daemon(database, dagster_url, tmp_path):
        wait_until(lambda: missed <= seen(instance), PATIENCE_S, "the hours to be asked for")
        assert ticks(instance, "closed_hours") <= 2
        assert len(asked_for(instance, look_at_hours.name)) == 2  # 72 hours in a row, 48 a run at most

        # The schedule has missed 4,320 ticks. One run makes what they would have made.
        ahead = set(hours_ahead(datetime.now(UTC)))
        wait_until(lambda: ahead <= set(list_hours(connection)), PATIENCE_S, "the leaves ahead")
        assert len(asked_for(instance, make_partitions.name)) == 1

        red, missing = f"hour:{RED:%Y-%m-%dT%H}", f"hour:{LAST_SEEN + HOUR:%Y-%m-%dT%H}"
        judged = "SELECT count(*) FROM ops.hours WHERE checked_at IS NOT NULL AND hour > %s AND hour <= %s"
        limits = [LAST_SEEN, NEWEST]
        wait_until(lambda: connection.execute(judged, limits).fetchone() == (DOWNTIME_H,), PATIENCE_S, "all judged")
        wait_until(lambda: {(red, True), (missing, True)} <= set(incidents(connection)), PATIENCE_S, "their incidents")
        assert (may_compact(connection, GREEN), may_compact(connection, RED)) == (True, False)

        with pytest.raises(SystemExit) as ended:
            main(["hours", "accept", f"{RED:%Y-%m-%dT%H:%MZ}", "--by", "ada", "--reason", "a test bench"])
        assert not ended.value.code
        assert (red, False) in incidents(connection)
        assert may_compact(connection, RED)
    records = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(KEY, "positions"), limit=200
    )
    statuses = {record.partition: record.status.value for record in records}
    assert (statuses[key_of(RED)], statuses[key_of(GREEN)]) == ("FAILED", "SUCCEEDED")
