"""The whole control plane as it runs: Dagster's daemon and code server on Postgres, and a source that stalls."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.partitions import list_hours
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watch.heartbeats import Heartbeat

pytestmark = [pytest.mark.integration, pytest.mark.acceptance, pytest.mark.alone]

ROOT = Path(__file__).resolve().parents[3]
THRESHOLD_S = 8  # the promise is kept at any threshold; a short one makes a short test
PROMISE_S = THRESHOLD_S + 10


@pytest.fixture
def dagster_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A database for Dagster's own."""
    name = sql.Identifier("dagster_of_the_test")
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield postgres_server.url("dagster_of_the_test")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextmanager
def daemon(database: DatabaseUrls, dagster_url: str, home: Path) -> Iterator[None]:
    """Dagster's daemon with its code server, as the supervisor starts it."""
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "FLIGHT_POSTGRES_URL": database["postgres_url"],
        "FLIGHT_DAGSTER_URL": dagster_url,
        "FLIGHT_INSTANCE": "dagster",
        "FLIGHT_STALL_THRESHOLD_S": str(THRESHOLD_S),
    }
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"]
    with (home / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # what is left of its children
                process.wait(5)


class DataPlane:
    """The heartbeats of a feed, track, live and history that all keep up; `silent` stops the source."""

    def __init__(self, settings: Settings) -> None:
        self.silent, self._end = threading.Event(), threading.Event()
        self._feed = Heartbeat(settings, Stage.FEED, source="paris")
        self._others = [Heartbeat(settings, stage) for stage in (Stage.TRACK, Stage.LIVE, Stage.HISTORY)]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "DataPlane":
        for each in (self._feed, *self._others):
            each.note = "running"
            each.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for each in (self._feed, *self._others):
            each.stop()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            if not self.silent.is_set():
                now_ms = time.time_ns() // 1_000_000
                self._feed.source_clock_ms = now_ms
                for each in (self._feed, *self._others):
                    each.watermark_ms = now_ms


def incidents(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute(
        "SELECT key, closed_at IS NOT NULL FROM ops.incidents WHERE key LIKE 'stall:%' ORDER BY incident_id"
    ).fetchall()
    return [(key, is_closed) for key, is_closed in rows]


@pytest.mark.timeout(400)
def test_a_stalled_source_is_one_alert_in_time_and_one_all_clear_and_partitions_are_made(
    database: DatabaseUrls, dagster_url: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    settings = Settings.read(postgres_url=database["postgres_url"], instance="data-plane")
    made_at_first = len(list_hours(connection))
    with daemon(database, dagster_url, tmp_path), DataPlane(settings) as plane:
        looks = "SELECT 1 FROM ops.heartbeats WHERE stage = 'dagster'"
        wait_until(lambda: connection.execute(looks).fetchone(), 120, "the sensor's first round")
        wait_until(lambda: len(list_hours(connection)) >= made_at_first + 7 * 24, 180, "the partitions ahead")
        assert incidents(connection) == []

        plane.silent.set()
        since = time.monotonic()
        # How soon is promised and held by tests/unit/flight_platform/test_freshness.py; a busy machine looks late.
        wait_until(lambda: incidents(connection), 3 * PROMISE_S, "the alert")
        assert time.monotonic() - since >= THRESHOLD_S - 1
        assert incidents(connection) == [("stall:source:paris", False)]

        plane.silent.clear()
        wait_until(lambda: incidents(connection) == [("stall:source:paris", True)], 60, "the all-clear")
    with psycopg.connect(dagster_url) as storage:
        told = storage.execute(
            "SELECT execution_status FROM asset_check_executions WHERE asset_key = %s ORDER BY id",
            ['["kafka", "reports"]'],
        ).fetchall()
    assert [status for (status,) in told] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
