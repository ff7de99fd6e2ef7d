"""The sensors `house` and `tell` on a real database, with an instance of Dagster in a folder."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from assets.alerts import house, tell
from assets.failing import failed_runs, failing_ticks
from assets.resources import Platform
from assets.sensors import heartbeats
from cli.programs import ROOT
from flight_platform import edge
from flight_platform.history.partitions import ensure_ahead
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls
from flight_platform.watch import credentials
from tests.certificates import self_signed
from tests.integration.dagster.incidents import database, file_database
from tests.integration.dagster.receivers import receiver

pytestmark = pytest.mark.integration

__all__ = ["database", "file_database"]  # fixtures: pytest finds them here


def look(instance: dg.DagsterInstance, platform: Platform, cursor: str | None = None) -> dg.SensorResult:
    result = house(dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": platform}))
    assert isinstance(result, dg.SensorResult)
    return result


def open_keys(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("SELECT key FROM ops.incidents WHERE closed_at IS NULL ORDER BY 1").fetchall()
    return [key for (key,) in rows]


def test_too_few_partitions_ahead_are_an_incident_until_they_are_made_and_people_are_told(
    database: DatabaseUrls, instance: dg.DagsterInstance, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with receiver() as told:
        platform = Platform(
            overrides={"postgres_url": database["postgres_url"], "alert_urls": told.url(), "var": str(tmp_path)}
        )
        ensure_ahead(connection, datetime.now(UTC), 2)
        first = look(instance, platform)
        assert open_keys(connection) == ["partitions:ahead"]
        ensure_ahead(connection, datetime.now(UTC), 4)
        look(instance, platform, first.cursor)
        assert open_keys(connection) == []
        for _ in range(2):  # of one incident a message a round, in their order
            tell(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
        assert [sent["title"] for sent in told.got] == ["[warning] partitions:ahead", "[resolved] partitions:ahead"]
        assert "docs/runbooks/partitions.md" in told.got[0]["message"]


def test_what_runs_out_at_the_edge_is_an_incident_until_it_is_renewed(
    database: DatabaseUrls, instance: dg.DagsterInstance, connection: psycopg.Connection, tmp_path: Path
) -> None:
    platform = Platform(overrides={"postgres_url": database["postgres_url"], "var": str(tmp_path)})
    settings = platform.settings()
    edge.home(settings).mkdir()
    edge.certificate(settings).write_bytes(self_signed(days=6))
    last_day = datetime.now(UTC).date() + timedelta(days=10)
    edge.keys_file(settings).write_text(f"aa bern:9:client:2026-01-01::{last_day}\nbb olten:9:client:2026-01-01\n")
    look(instance, platform)
    at_the_edge = ["credentials:expiring:certificate", "credentials:key:bern"]
    assert [key for key in open_keys(connection) if key.startswith("credentials:")] == at_the_edge
    edge.certificate(settings).write_bytes(self_signed(days=60))
    edge.keys_file(settings).write_text("")
    look(instance, platform)
    assert [key for key in open_keys(connection) if key.startswith("credentials:")] == []


_FEED: Final = """
    INSERT INTO ops.heartbeats
        (stage, instance, source, started_at, beat_at, source_clock, rss_bytes, note, pid, counters, concerns)
    VALUES
        ('feed', '1', 'roof', now(), now(), now(), 1, 'running', 1, %(counters)s::jsonb, %(concerns)s::jsonb),
        ('track', '1', '', now(), now(), NULL, 1, 'running', 1, %(tracked)s::jsonb, '{}')
    ON CONFLICT (stage, instance, source) DO UPDATE SET
        beat_at = now(), counters = excluded.counters, concerns = excluded.concerns
"""


def test_each_alert_says_how_bad_since_when_the_last_good_value_why_and_where_that_is_explained(
    database: DatabaseUrls,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def beats(*, refused: int, concerns: dict[str, str], repeated: int) -> None:
        counters, tracked = {"accepted": 1_000, "undecodable": refused}, {"new:roof": 9, "repeat:roof": repeated}
        told = {"counters": counters, "concerns": concerns, "tracked": tracked}
        connection.execute(_FEED, {name: json.dumps(value) for name, value in told.items()})

    def run(*, fails: bool) -> None:
        configuration = {"ops": {"step": {"config": {"fails": fails}}}}
        nightly.execute_in_process(instance=instance, raise_on_error=False, run_config=configuration)

    with receiver() as told:
        platform = Platform(
            overrides={"postgres_url": database["postgres_url"], "alert_urls": told.url(), "var": str(tmp_path)}
        )
        ensure_ahead(connection, datetime.now(UTC), 7)
        run(fails=False)
        beats(refused=0, concerns={}, repeated=0)
        cursor = five_minutes_later(look(instance, platform).cursor)
        assert open_keys(connection) == []
        run(fails=True)
        spent = {"credentials": "401: the account is refused", "credits": "429: they are spent"}
        beats(refused=500, concerns=spent, repeated=100)
        monkeypatch.setattr("flight_platform.watch.conditions.list_hours", lambda _: [])
        usage = type("Usage", (), {"free": 1_000_000_000, "total": 100_000_000_000})
        monkeypatch.setattr("flight_platform.watch.conditions.shutil.disk_usage", lambda _: usage)
        edge.home(platform.settings()).mkdir()
        edge.keys_file(platform.settings()).write_text(
            f"aa bern:9:client:2026-01-01::{datetime.now(UTC).date() + timedelta(days=3)}\n"
        )
        look(instance, platform, cursor)
        tell(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert {sent["title"] for sent in told.got} == {
        "[critical] credentials:roof",
        "[critical] disk:full",
        "[warning] credentials:key:bern",
        "[warning] credits:roof",
        "[warning] dead_letters:feed:roof",
        "[warning] partitions:ahead",
        "[warning] repeats:roof",
        "[warning] run:nightly",
    }
    for sent in told.got:
        _summary, since, last_good, cause, to_do, page = sent["message"].splitlines()
        assert re.fullmatch(r"Since: 20\d\d-.+ UTC", since), sent
        assert re.fullmatch(r"Last good value: 20\d\d-.+ UTC", last_good), sent
        assert re.fullmatch("Likely cause: .{9,}", cause), sent
        assert re.fullmatch("What to do: .{9,}", to_do), sent
        assert (ROOT / page.removeprefix("Runbook: ")).is_file(), sent


def five_minutes_later(cursor: str | None) -> str:
    """As if it had looked five minutes before, and had long known that a tenth of the source is repeats."""
    told = json.loads(cursor or "{}")
    told["repeated"]["roof"] |= {"usual": 0.1, "at": told["repeated"]["roof"]["at"] - 300}
    return json.dumps(told)


@dg.op(config_schema={"fails": bool})
def step(context: dg.OpExecutionContext) -> None:
    if context.op_config["fails"]:
        raise RuntimeError("a test")


@dg.job
def nightly() -> None:
    step()


def test_a_job_is_red_from_a_run_that_fails_to_one_that_succeeds(instance: dg.DagsterInstance) -> None:
    def run(*, fails: bool) -> list[str]:
        configuration = {"ops": {"step": {"config": {"fails": fails}}}}
        nightly.execute_in_process(instance=instance, raise_on_error=False, run_config=configuration)
        return [alert.key for alert in failed_runs(instance, Settings.read())]

    assert failed_runs(instance, Settings.read()) == []
    assert run(fails=False) == []
    assert run(fails=True) == ["run:nightly"]
    assert run(fails=False) == []


SENSORS = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("assets.definitions"), "__repository__")


class Ticks:
    """A sensor or schedule whose ticks Dagster has written down."""

    def __init__(
        self, instance: dg.DagsterInstance, name: str, kind: InstigatorType = InstigatorType.SENSOR, *, on: bool = True
    ) -> None:
        status = InstigatorStatus.DECLARED_IN_CODE if on else InstigatorStatus.STOPPED
        schedule = ScheduleInstigatorData("0 0 * * *") if kind is InstigatorType.SCHEDULE else None
        state = InstigatorState(RemoteInstigatorOrigin(SENSORS, name), kind, status, schedule)
        self._instance, self._state = instance, instance.add_instigator_state(state)

    def add(self, *succeeded: bool, minutes_ago: float = 0) -> None:
        """So they ended, the newest last."""
        for good in succeeded:
            tick = TickData(
                instigator_origin_id=self._state.instigator_origin_id,
                instigator_name=self._state.name,
                instigator_type=self._state.instigator_type,
                status=TickStatus.SKIPPED if good else TickStatus.FAILURE,
                timestamp=time.time() - 60 * minutes_ago,
                error=None if good else SerializableErrorInfo("Traceback\nKeyError: 'a test'\n", [], "KeyError"),
                selector_id=self._state.selector_id,
            )
            self._instance.create_tick(tick)


def test_a_sensor_is_named_when_its_last_ticks_have_failed_and_a_schedule_too(instance: dg.DagsterInstance) -> None:
    def named() -> list[tuple[str, str, str]]:
        found = failing_ticks(instance, Settings.read(), datetime.now(UTC))
        return sorted((alert.key, alert.severity, alert.cause) for alert in found)

    Ticks(instance, "off", on=False).add(False, False, False)
    Ticks(instance, "renamed").add(False, False, False, minutes_ago=120)
    house_ticks, verdicts = Ticks(instance, "house"), Ticks(instance, "verdicts")
    nightly_ticks = Ticks(instance, "nightly", InstigatorType.SCHEDULE)
    house_ticks.add(True, False, False)
    nightly_ticks.add(True, False, minutes_ago=1440)
    verdicts.add(False, False, True, False)
    assert named() == []
    house_ticks.add(False)
    nightly_ticks.add(False)
    problem = "KeyError: 'a test'"
    assert named() == [("sensor:house", "critical", problem), ("sensor:nightly", "warning", problem)]
    house_ticks.add(True)
    assert [key for key, *_ in named()] == ["sensor:nightly"]


def test_the_watchman_looks_after_the_other_sensors_and_calls_for_help_where_nobody_is_told(
    database: DatabaseUrls, instance: dg.DagsterInstance, connection: psycopg.Connection, tmp_path: Path
) -> None:
    platform = Platform(overrides={"postgres_url": database["postgres_url"], "var": str(tmp_path)})

    def look_around(cursor: str | None) -> str:
        connection.execute("DELETE FROM ops.heartbeats")
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": platform})
        result = heartbeats(context)
        assert isinstance(result, dg.SensorResult)
        later = json.loads(result.cursor or "{}")
        return json.dumps(later | {"looked_after_at": later["looked_after_at"] - 60})

    def signed() -> bool:
        return connection.execute("SELECT FROM ops.heartbeats WHERE stage = 'dagster'").fetchone() is not None

    house_ticks, tell_ticks = Ticks(instance, "house"), Ticks(instance, "tell")
    house_ticks.add(False, False, False)
    tell_ticks.add(True)
    cursor = look_around(None)
    assert open_keys(connection) == ["sensor:house"]
    assert signed()
    house_ticks.add(True)
    tell_ticks.add(False, False, False)
    cursor = look_around(cursor)
    assert open_keys(connection) == ["sensor:tell"]
    assert not signed(), "the processes tell how old its word is, and Prometheus calls"
    tell_ticks.add(True)
    look_around(cursor)
    assert open_keys(connection) == []
    assert signed()


def test_a_password_that_expires_within_two_weeks_is_told(connection: psycopg.Connection) -> None:
    now = datetime.now(UTC)
    assert credentials.roles(connection, now) == []
    connection.execute("CREATE ROLE soon_expired LOGIN")
    try:
        connection.execute(f'GRANT CONNECT ON DATABASE "{connection.info.dbname}" TO soon_expired')
        connection.execute(f"ALTER ROLE soon_expired VALID UNTIL '{now + timedelta(days=9):%Y-%m-%d}'")
        assert [alert.key for alert in credentials.roles(connection, now)] == ["credentials:postgres:soon_expired"]
    finally:
        connection.execute("DROP OWNED BY soon_expired")
        connection.execute("DROP ROLE soon_expired")
