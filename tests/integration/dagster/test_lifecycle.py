"""From closed to archived in a real instance: what was missed follows, and operators' jobs do what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.archive import KEY as ARCHIVE
from assets.archive import days_to_archive, history_archive, restore_from_archive
from assets.compaction import KEY as CHUNKS
from assets.compaction import history_chunks, hours_to_compact, recompact
from assets.partitions import HOUR, key_of, range_tags
from assets.resources import Platform
from assets.retention import drop_what_is_old
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.verdicts import record_verdict
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import stream

pytestmark = pytest.mark.integration

NEWEST = start_of_hour(datetime.now(UTC)) - 2 * HOUR
DAY = (NEWEST - timedelta(days=3)).date()


@pytest.fixture
def platform(database: DatabaseUrls, tmp_path: Path) -> Platform:
    return Platform(overrides={"postgres_url": database["postgres_url"], "archive": str(tmp_path), "keep_days": 2})


def filled(connection: psycopg.Connection, *hours: datetime) -> None:
    """Twenty positions in each hour, judged well."""
    for hour in hours:
        fill(connection, stream(2, 10, int(hour.timestamp() * 1000)))
        record_verdict(connection, hour, passed=True, rows=20, failures=[])


def counted(connection: psycopg.Connection) -> tuple[int, ...]:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM history.positions), (SELECT count(*) FROM history.chunk_positions)"
    ).fetchone()
    assert row is not None
    return tuple(map(int, row))


def test_after_three_days_without_dagster_two_ticks_bring_the_house_in_order(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    hours = [NEWEST - n * HOUR for n in (71, 70, 40, 1, 0)]
    filled(connection, *hours)
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})

    def asked() -> list[object]:
        answers = hours_to_compact(context)
        assert isinstance(answers, Iterator)
        return list(answers)

    requests = asked()
    assert [request.tags for request in requests if isinstance(request, dg.RunRequest)] == [
        range_tags(hours[0], hours[1]),
        range_tags(hours[2], hours[2]),
        range_tags(hours[3], hours[4]),
    ]
    for request in requests:
        assert isinstance(request, dg.RunRequest)
        resources = {"platform": platform}
        result = dg.materialize([history_chunks], instance=instance, resources=resources, tags=dict(request.tags))
        assert result.success
    assert counted(connection) == (0, 100)
    assert {key_of(hour) for hour in hours} <= set(instance.get_materialized_partitions(CHUNKS))
    figures = {m.partition: m.metadata for m in result.asset_materializations_for_node("history__chunks")}
    assert figures[key_of(NEWEST)]["dagster/row_count"].value == 20
    assert figures[key_of(NEWEST)]["moved"].value == 20
    assert [type(answer) for answer in asked()] == [dg.SkipReason]


def test_a_day_goes_to_the_archive_leaves_the_database_and_is_brought_back_by_jobs(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection, tmp_path: Path
) -> None:
    hour = datetime(DAY.year, DAY.month, DAY.day, 5, tzinfo=UTC)
    filled(connection, hour)
    stretch = {"from_hour": f"{hour:%Y-%m-%dT%H:%M}", "to_hour": f"{hour + HOUR:%Y-%m-%dT%H:%M}"}
    resources = {"platform": platform}
    run = recompact.execute_in_process(
        instance=instance, resources=resources, run_config={"ops": {"compact_stretch": {"config": stretch}}}
    )
    assert run.success
    assert counted(connection) == (0, 20)
    context = dg.build_sensor_context(instance=instance, resources=resources)
    answers = days_to_archive(context)
    assert isinstance(answers, Iterator)
    (request,) = answers
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == DAY.isoformat()
    made = dg.materialize([history_archive], instance=instance, resources=resources, partition_key=DAY.isoformat())
    (event,) = made.asset_materializations_for_node("history__archive")
    assert event.metadata["dagster/row_count"].value == 20
    assert (tmp_path / str(event.metadata["path"].value)).is_file()
    assert drop_what_is_old.execute_in_process(instance=instance, resources=resources).success
    assert counted(connection) == (0, 0)
    days = {"from_day": DAY.isoformat(), "to_day": DAY.isoformat()}
    restored = restore_from_archive.execute_in_process(
        instance=instance, resources=resources, run_config={"ops": {"restore": {"config": days}}}
    )
    assert restored.success
    assert counted(connection) == (0, 20)
    assert drop_what_is_old.execute_in_process(instance=instance, resources=resources).success
    assert counted(connection) == (0, 20)  # restored: it stays for a week
    assert instance.get_materialized_partitions(ARCHIVE) == {DAY.isoformat()}


def test_a_day_whose_file_is_damaged_stays_and_the_run_says_so(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection, tmp_path: Path
) -> None:
    hour = datetime(DAY.year, DAY.month, DAY.day, 5, tzinfo=UTC)
    filled(connection, hour)
    resources = {"platform": platform}
    dg.materialize([history_chunks], instance=instance, resources=resources, partition_key=key_of(hour))
    dg.materialize([history_archive], instance=instance, resources=resources, partition_key=DAY.isoformat())
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    run = drop_what_is_old.execute_in_process(instance=instance, resources=resources, raise_on_error=False)
    assert not run.success
    assert counted(connection) == (0, 20)
