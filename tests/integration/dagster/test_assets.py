"""Assets, schedules and sensors on a real database, with an instance of Dagster in a folder."""

from datetime import UTC, datetime

import dagster as dg
import psycopg
import pytest

from assets.definitions import build_defs
from assets.partitions import history_partitions, hours_ahead, key_of, range_tags
from assets.reference import reference_airports
from assets.resources import Platform
from assets.schedules import PARTITIONS_KEY, partitions_ahead
from assets.sensors import first_start, heartbeats
from flight_platform.history.partitions import ensure_hour, list_hours
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration


@pytest.fixture
def platform(database: DatabaseUrls) -> Platform:
    return Platform(overrides={"postgres_url": database["postgres_url"], "instance": "watchman"})


def test_a_fresh_platform_is_asked_for_its_partitions_in_one_run_and_then_for_nothing(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    now = datetime.now(UTC)
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=now, resources={"platform": platform}
    )
    request = partitions_ahead(context)
    assert isinstance(request, dg.RunRequest)
    wanted = hours_ahead(now)
    assert request.tags == range_tags(wanted[0], wanted[-1])
    result = dg.materialize(
        [history_partitions], instance=instance, resources={"platform": platform}, tags=dict(request.tags)
    )
    assert result.success
    assert set(wanted) <= set(list_hours(connection))
    assert len(instance.get_materialized_partitions(PARTITIONS_KEY)) == len(wanted)
    assert isinstance(partitions_ahead(context), dg.SkipReason)


def test_partitions_missed_in_a_downtime_are_asked_for(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    now = datetime.now(UTC)
    wanted = hours_ahead(now)
    for hour in wanted[:-30]:
        ensure_hour(connection, hour)
        instance.report_runless_asset_event(dg.AssetMaterialization(PARTITIONS_KEY, partition=key_of(hour)))
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=now, resources={"platform": platform}
    )
    request = partitions_ahead(context)
    assert isinstance(request, dg.RunRequest)
    assert request.tags == range_tags(wanted[-30], wanted[-1])


def test_the_airports_are_loaded_at_the_first_start_and_replaced_later(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    context = dg.build_sensor_context(instance=instance)
    assert isinstance(first_start(context), dg.RunRequest)
    for _ in range(2):
        assert dg.materialize([reference_airports], instance=instance, resources={"platform": platform}).success
    assert isinstance(first_start(context), dg.SkipReason)
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE icao = 'LFPG' AND iata = 'CDG') FROM reference.airports"
    ).fetchone()
    assert row is not None
    assert row[0] > 25_000
    assert row[1] == 1


_BEAT = """
    INSERT INTO ops.heartbeats
        (stage, instance, source, started_at, beat_at, watermark, source_clock, rss_bytes, note, pid)
    VALUES
        (%(stage)s, %(stage)s || '-1', %(source)s, now(), clock_timestamp() - make_interval(secs => %(age_s)s),
         %(time)s, %(time)s, 1, 'running', 1)
    ON CONFLICT (stage, instance, source) DO UPDATE SET
        beat_at = excluded.beat_at, watermark = excluded.watermark, source_clock = excluded.source_clock
"""


def beat(connection: psycopg.Connection, stage: str, source: str = "", *, age_s: float = 0, moves: bool = True) -> None:
    time = datetime.now(UTC) if moves else datetime(2026, 1, 31, tzinfo=UTC)
    connection.execute(_BEAT, {"stage": stage, "source": source, "age_s": age_s, "time": time})


def test_the_heartbeat_sensor_reports_the_streams_opens_and_closes_an_incident_and_signs_its_round(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    fast = Platform(overrides={**platform.overrides, "stall_threshold_s": 0.2})

    def tick(cursor: str | None, *, moves: bool) -> dg.SensorResult:
        beat(connection, "feed", "paris", moves=moves)
        for stage in ("track", "live", "history"):
            beat(connection, stage, moves=moves)
        result = heartbeats(
            dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"platform": fast}, definitions=build_defs()
            )
        )
        assert isinstance(result, dg.SensorResult)
        return result

    first = tick(None, moves=True)
    kinds = [type(event) for event in first.asset_events]
    assert (kinds.count(dg.AssetMaterialization), kinds.count(dg.AssetCheckEvaluation)) == (4, 4)
    cursor, told = first.cursor, []
    for moves in (False, False, False, False, False, False, True, True, True):
        connection.execute("SELECT pg_sleep(0.1)")
        result = tick(cursor, moves=moves)
        cursor = result.cursor
        told += [
            (e.asset_key.to_user_string(), e.passed)
            for e in result.asset_events
            if isinstance(e, dg.AssetCheckEvaluation)
        ]
    assert told == [("kafka/reports", False), ("kafka/reports", True)]
    rows = connection.execute("SELECT key, hop, source, closed_at IS NOT NULL FROM ops.incidents").fetchall()
    assert rows == [("stall:source:paris", "source", "paris", True)]
    own = connection.execute("SELECT instance, note FROM ops.heartbeats WHERE stage = 'dagster'").fetchall()
    assert own == [("watchman", "0 open incidents")]


def test_rows_of_the_dead_are_swept_once_they_have_a_successor(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    beat(connection, "feed", "paris", age_s=3600)
    beat(connection, "feed", "paris-backfill", age_s=3600)
    beat(connection, "track", age_s=3600)
    connection.execute("UPDATE ops.heartbeats SET instance = 'old'")
    beat(connection, "track")
    heartbeats(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    rows = connection.execute(
        "SELECT stage, instance FROM ops.heartbeats WHERE stage <> 'dagster' ORDER BY 1"
    ).fetchall()
    assert rows == [("feed", "old"), ("track", "track-1")]
