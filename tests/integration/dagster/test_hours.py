"""Closed hours in Dagster: looked at once, whatever was missed; a red one is an incident until it is accepted."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.hours import POSITIONS, history_hours
from assets.partitions import HOUR, key_of, range_tags
from assets.quality import accept_red_hour, recheck_hours, verdicts
from assets.resources import Platform
from assets.sensors import closed_hours
from flight_platform.history.partitions import ensure_hour
from flight_platform.history.verdicts import may_compact
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration


@pytest.fixture
def platform(database: DatabaseUrls, tmp_path: Path) -> Platform:
    urls = {"postgres_url": database["postgres_url"], "kafka_bootstrap": "127.0.0.1:1"}  # no Kafka: it cannot be proved
    return Platform(overrides={**urls, "instance": "watchman", "var": str(tmp_path)})


def fill(connection: psycopg.Connection, hour: datetime, *, altitude_ft: int = 35_000, rows: int = 20) -> None:
    """Positions of two aircraft in an hour; the first row has this altitude."""
    ensure_hour(connection, hour)
    born = int(hour.timestamp())
    for n in range(rows):
        moment = hour + timedelta(seconds=n)
        flight_id = (0x3C6444 + n % 2) << 32 | born
        row = [flight_id, moment, moment, 480_000_000 + 1_000 * n, 20_000_000, altitude_ft if n == 0 else 1_000]
        connection.execute(
            "INSERT INTO history.positions"
            " (flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft, squawk, source)"
            " VALUES (%s, %s, %s, %s, %s, %s, '1000', 'paris')",
            row,
        )


def asked(instance: dg.DagsterInstance, platform: Platform) -> list[object]:
    """What the sensor of the closed hours asks for."""
    answers = closed_hours(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert isinstance(answers, Iterator)
    return list(answers)


def look(
    instance: dg.DagsterInstance, platform: Platform, first: datetime, last: datetime
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [history_hours], instance=instance, resources={"platform": platform}, tags=range_tags(first, last)
    )


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute("SELECT key, closed_at IS NULL FROM ops.incidents ORDER BY incident_id").fetchall()
    return [(key, is_open) for key, is_open in rows]


def test_past_hours_are_looked_at_in_one_run_and_the_bad_one_is_red_until_it_is_accepted(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection, newest: datetime, tmp_path: Path
) -> None:
    hours = [newest - n * HOUR for n in (2, 1, 0)]
    fill(connection, hours[0])
    fill(connection, hours[1], altitude_ft=900_000)
    fill(connection, hours[2])
    ensure_hour(connection, newest - 5 * HOUR)  # from before anybody listened: a leaf with nothing in it says nothing
    fill(connection, newest + 2 * HOUR)  # not closed yet
    (request,) = asked(instance, platform)
    assert isinstance(request, dg.RunRequest)
    assert request.tags == range_tags(hours[0], hours[-1])

    result = look(instance, platform, hours[0], hours[-1])
    assert result.success  # a red hour needs somebody; the run did what it should
    records = instance.event_log_storage.get_asset_check_execution_history(POSITIONS.key, limit=10)
    assert {record.partition: record.status.value for record in records} == {
        key_of(hours[0]): "SUCCEEDED",
        key_of(hours[1]): "FAILED",
        key_of(hours[2]): "SUCCEEDED",
    }
    (failed,) = [e for e in result.get_asset_check_evaluations() if not e.passed and e.check_name == "positions"]
    assert failed.description == "altitude_ft is possible: 1 of 20 rows are not"
    table = failed.metadata["expectations"]
    assert isinstance(table, dg.TableMetadataValue)
    (bad,) = [record.data for record in table.records if not record.data["passed"]]
    born = int(hours[1].timestamp())
    assert f"flight_id=3c6444-{born:08x}" in str(bad["sample"])
    assert "altitude_ft=900000" in str(bad["sample"])
    figures = {m.partition: m.metadata for m in result.asset_materializations_for_node("history__hours")}
    assert figures[key_of(hours[0])]["dagster/row_count"].value == 20
    assert figures[key_of(hours[0])]["aircraft"].value == 2
    assert figures[key_of(hours[0])]["sources"].value == "paris"
    assert [type(answer) for answer in asked(instance, platform)] == [dg.SkipReason]

    page = failed.metadata["Data Docs"].value
    assert page == f"http://127.0.0.1:8082/quality/hours/{hours[1]:%Y-%m-%dT%H}.html"
    text = (tmp_path / "quality" / "hours" / f"{hours[1]:%Y-%m-%dT%H}.html").read_text()
    assert "not as expected" in text
    assert "900000" in text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)  # it asks nobody for anything
    assert f"hours/{hours[1]:%Y-%m-%dT%H}.html" in (tmp_path / "quality" / "index.html").read_text()

    key = f"hour:{hours[1]:%Y-%m-%dT%H}"
    assert incidents(connection) == [(key, True)]
    assert [may_compact(connection, hour) for hour in hours] == [True, False, True]
    accepted = accept_red_hour.execute_in_process(
        instance=instance,
        resources={"platform": platform},
        run_config={
            "ops": {"accept": {"config": {"hour": hours[1].isoformat(), "by": "ada", "reason": "a test bench"}}}
        },
    )
    assert accepted.success
    assert incidents(connection) == [(key, False)]
    assert may_compact(connection, hours[1])
    assert "accepted by ada: a test bench" in (tmp_path / "quality" / "index.html").read_text()


def test_an_hour_without_rows_is_missing_empty_or_quiet_and_missing_ones_in_a_row_are_one_incident(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection, newest: datetime
) -> None:
    hours = [newest - n * HOUR for n in (3, 2, 1, 0)]
    connection.execute("INSERT INTO ops.offsets VALUES ('flight.positions', 0, 10)")
    connection.execute(
        "INSERT INTO ops.ledger (topic, kafka_partition, from_offset, to_offset, written_at, records, rows, repeats,"
        " quarantined, late) VALUES ('flight.positions', 0, 0, 10, %s, 10, 10, 0, 0, 0)",
        [hours[0] + timedelta(minutes=5)],
    )
    # A feed that came back: its source was heard during the last two hours alone, within which it was started anew.
    restarted = hours[3] + timedelta(minutes=20)
    connection.execute(
        "INSERT INTO ops.listening (source, instance, started_at, heard_to) VALUES"
        " ('paris', 'feed-1', %s, %s), ('paris', 'feed-1', %s, %s)",
        [hours[0], hours[1] + 0.9 * HOUR, hours[2] - timedelta(seconds=1), restarted - timedelta(seconds=70)],
    )
    connection.execute(
        "INSERT INTO ops.heartbeats (stage, instance, source, started_at, beat_at, source_clock, rss_bytes, pid)"
        " VALUES ('feed', 'feed-1', 'paris', %s, now(), now(), 1, 1)",
        [restarted],
    )
    connection.execute(
        "INSERT INTO ops.gaps (hop, from_time, to_time, reason) VALUES ('history', %s, %s, 'a test')",
        [hours[0], hours[0] + timedelta(minutes=1)],
    )
    (request,) = asked(instance, platform)
    assert isinstance(request, dg.RunRequest)
    assert request.tags == range_tags(hours[0], hours[-1])
    for day in range(1, 4):  # usual are many rows in the third hour, and few in the last
        for hour, rows in ((hours[2], 50_000), (hours[3], 3)):
            connection.execute(
                "INSERT INTO ops.hours (hour, rows, checked_at, passed, compacted_at)"
                " VALUES (%s, %s, now(), true, now())",
                [hour - day * 24 * HOUR, rows],
            )
    result = look(instance, platform, hours[0], hours[-1])
    volume = {e.partition: e for e in result.get_asset_check_evaluations() if e.check_name == "volume"}
    presence = [volume[key_of(hour)].metadata["presence"].value for hour in hours]
    assert presence == ["missing", "missing", "empty", "quiet"]
    assert [volume[key_of(hour)].passed for hour in hours] == [False, False, False, True]
    assert incidents(connection) == [(f"hour:{hours[0]:%Y-%m-%dT%H}", True), (f"hour:{hours[2]:%Y-%m-%dT%H}", True)]
    summaries = connection.execute("SELECT summary FROM ops.incidents ORDER BY incident_id").fetchall()
    assert summaries[0][0].startswith("2 hours from")
    assert "there are as many rows as usual" in summaries[1][0]


def test_an_hour_that_was_mended_is_rechecked_and_the_checks_say_so(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection, newest: datetime
) -> None:
    fill(connection, newest, altitude_ft=900_000)
    look(instance, platform, newest, newest)
    connection.execute("UPDATE history.positions SET altitude_ft = 1000")
    at = newest.isoformat()
    config = {"ops": {"recheck": {"config": {"from_hour": at, "to_hour": at}}}}
    done = recheck_hours.execute_in_process(instance=instance, resources={"platform": platform}, run_config=config)
    assert done.success
    assert incidents(connection) == [(f"hour:{newest:%Y-%m-%dT%H}", False)]
    assert may_compact(connection, newest)
    # Judged outside of the asset: the sensor brings it to the asset's checks, once.
    told = verdicts(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert isinstance(told, dg.SensorResult)
    events = [event for event in told.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert {event.partition for event in events} == {key_of(newest)}
    passed = {event.check_name: event.passed for event in events}
    assert passed == {"positions": True, "volume": True, "refused": True, "complete": False}
    again = verdicts(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert isinstance(again, dg.SkipReason)
