"""The history consumer against a real Kafka and a real Postgres: exactly once, whatever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer

from flight_platform import kafka
from flight_platform.codec import encode, stamp_flight_id
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.history.partitions import ensure_ahead
from flight_platform.model import Position, format_flight_id
from flight_platform.names import TOPIC_POSITIONS
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, migrated_database, wait_until
from tests.integration.history.reports import HOUR_MS, report, stream
from tests.processes import scratch

pytestmark = pytest.mark.integration

PARTITIONS = 4
PROGRAM = "from flight_platform.settings import Settings; from streaming.history import run; run(Settings.read())"


@pytest.fixture
def settings(kafka_bootstrap: str, database: DatabaseUrls) -> Settings:
    return _settings(kafka_bootstrap, database)


def _settings(kafka_bootstrap: str, database: DatabaseUrls) -> Settings:
    settings = Settings.read(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic_prefix=f"history{time.time_ns()}.",
        kafka_partitions=PARTITIONS,
        var=scratch().name,
        **database,
    )
    kafka.ensure_topics(settings)
    return settings


@contextmanager
def consuming(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A history consumer in a process of its own; killed if it still runs at the end."""
    environment = {**os.environ, **settings.environment(), "PYTHONWARNINGS": "error"}
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def produce(settings: Settings, positions: list[Position], producer: Producer | None = None) -> None:
    """Writes them as the tracker does: the report, its flight id behind it, in the partition of its address."""
    producer = producer or kafka.producer(settings)
    for position in positions:
        assert position.flight_id is not None
        untracked = encode(_untracked(position))
        producer.produce(
            settings.topic(TOPIC_POSITIONS),
            value=stamp_flight_id(untracked, position.flight_id),
            key=format_flight_id(position.flight_id),
            partition=kafka.partition_of(position.icao24, PARTITIONS),
        )
        producer.poll(0)
    assert producer.flush(20) == 0


def _untracked(position: Position) -> Position:
    values = {name: getattr(position, name) for name in position.__slots__}
    return Position(**{**values, "flight_id": None})


def count(connection: psycopg.Connection, statement: str = "SELECT count(*) FROM history.positions") -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0] or 0)


def count_at(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return count(connection)


def has_rows(connection: psycopg.Connection, at_least: int) -> Callable[[], bool]:
    return lambda: count(connection) >= at_least


def assert_exact(connection: psycopg.Connection, expected: list[Position]) -> None:
    """History holds exactly the identities of `expected`; the ledger proves it: it tiles, and its counts add up."""
    found = connection.execute("SELECT flight_id, (extract(epoch FROM time) * 1000)::bigint FROM history.positions")
    assert sorted(found.fetchall()) == sorted({(p.flight_id, p.time) for p in expected})
    holes = """
        SELECT count(*) FROM (
            SELECT from_offset, lag(to_offset, 1, 0::bigint) OVER (PARTITION BY kafka_partition ORDER BY from_offset)
                AS previous
            FROM ops.ledger
        ) AS l WHERE from_offset <> previous
    """
    assert count(connection, holes) == 0
    apart = """
        SELECT count(*) FROM ops.offsets AS o
        LEFT JOIN (SELECT kafka_partition, max(to_offset) AS written FROM ops.ledger GROUP BY 1) AS l
            USING (kafka_partition)
        WHERE coalesce(written, 0) <> next_offset
    """
    assert count(connection, apart) == 0
    assert count(connection, "SELECT sum(rows) FROM ops.ledger") == count(connection)


def test_counts_repeats_late_and_undecodable(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    now_ms = kafka.now_ms()
    fresh = stream(20, 30, now_ms - 60_000)
    old = [report("4ca001", now_ms // 1000 - 40_000, now_ms - 5 * HOUR_MS + tick * 1_000) for tick in range(10)]
    produce(settings, fresh + fresh[:40] + old)
    producer = kafka.producer(settings)
    producer.produce(settings.topic(TOPIC_POSITIONS), value=b"\xff no protobuf", partition=2)
    producer.produce(settings.topic(TOPIC_POSITIONS), value=b"", partition=2)
    assert producer.flush(10) == 0
    log = tmp_path / "log"
    with consuming(settings, log) as process:
        wait_until(lambda: count(connection, "SELECT sum(records) FROM ops.ledger") == 652, 60, "all are judged")
        produce(settings, fresh[:25])  # again, in another batch
        wait_until(lambda: count(connection, "SELECT sum(repeats) FROM ops.ledger") == 65, 60, "repeats are counted")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert_exact(connection, fresh + old)
    assert count(connection, "SELECT sum(late) FROM ops.ledger") == 10
    refused = connection.execute("SELECT reason, record, kafka_partition FROM ops.quarantine ORDER BY kafka_offset")
    assert refused.fetchall() == [("undecodable", b"\xff no protobuf", 2), ("undecodable", b"", 2)]
    assert b"partition_made_by_consumer" in log.read_bytes()
    assert count(connection, "SELECT count(*) FROM ops.heartbeats") == 0, (
        "a process that ended on purpose is not missed"
    )


def test_each_report_is_written_as_it_comes_and_the_heartbeat_tells(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    start_ms = kafka.now_ms()
    with consuming(settings, tmp_path / "log"):
        produce(settings, [report("4ca001", start_ms // 1000, start_ms)])
        wait_until(lambda: count(connection) == 1, 60, "the consumer is up")
        producer = kafka.producer(settings)
        for number in (1, 2, 3):
            produce(settings, [report("4ca001", start_ms // 1000, start_ms + number)], producer)
            wait_until(has_rows(connection, number + 1), 60, "the next report")
        beat = "SELECT extract(epoch FROM watermark) * 1000 FROM ops.heartbeats WHERE stage = 'history'"
        wait_until(lambda: count(connection, beat) == start_ms + 3, 60, "the heartbeat tells the newest event time")
        mark = "SELECT (watermarks -> 'synthetic')::bigint FROM ops.heartbeats WHERE stage = 'history'"
        wait_until(lambda: count(connection, mark) == start_ms + 3, 60, "and that of its source")
        lag = "SELECT count(*) FROM ops.heartbeats WHERE lag_records = 0 AND counters ->> 'rows' = '4'"
        wait_until(lambda: count(connection, lag) == 1, 60, "the heartbeat tells that nothing waits")


def test_killed_again_and_again_every_report_is_there_once(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    positions = stream(500, 120, kafka.now_ms() - 120_000)
    ensure_ahead(connection, datetime.now(UTC), days=1)
    producer = kafka.producer(settings)
    for life in range(2):
        with consuming(settings, tmp_path / "log") as process:
            before = count(connection)
            produce(settings, positions[life * 20_000 : (life + 1) * 20_000], producer)
            wait_until(has_rows(connection, before + 1), 60, "it writes")
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    with consuming(settings, tmp_path / "log"):
        produce(settings, positions[40_000:], producer)
        wait_until(lambda: count(connection) == len(positions), 60, "all are there")
    assert_exact(connection, positions)


def test_two_consumers_share_the_partitions(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    positions = stream(400, 100, kafka.now_ms() - 120_000)
    half = len(positions) // 2
    with ExitStack() as stack:
        stack.enter_context(consuming(settings, tmp_path / "one"))
        produce(settings, positions[:half])
        wait_until(lambda: count(connection) > 0, 60, "the first writes")
        stack.enter_context(consuming(settings, tmp_path / "two"))
        wait_until(lambda: b"partitions_placed" in (tmp_path / "two").read_bytes(), 60, "the second has its share")
        produce(settings, positions[half:])
        wait_until(lambda: count(connection) == len(positions), 60, "all are there")
        shares = "SELECT count(*) FROM ops.heartbeats WHERE (counters ->> 'rows')::bigint > 0"
        wait_until(lambda: count(connection, shares) == 2, 60, "both have written")
    assert_exact(connection, positions)


def test_postgres_restarts_in_mid_stream(kafka_bootstrap: str, server_folder: Path, tmp_path: Path) -> None:
    positions = stream(200, 100, kafka.now_ms() - 120_000)
    third = len(positions) // 3
    with EmbeddedPostgres(server_folder / "own-postgres", free_port(), durable=False) as server, ExitStack() as stack:
        database = stack.enter_context(migrated_database(server))
        settings = _settings(kafka_bootstrap, database)
        log = tmp_path / "log"
        stack.enter_context(consuming(settings, log))
        produce(settings, positions[:third])
        url = database["postgres_url"]
        wait_until(lambda: count_at(url) == third, 60, "the first third")
        server.stop()
        produce(settings, positions[third : 2 * third])
        wait_until(lambda: b"postgres_unavailable" in log.read_bytes(), 60, "the outage is said")
        server.start()
        server.wait_ready()
        produce(settings, positions[2 * third :])
        wait_until(lambda: count_at(url) == len(positions), 60, "all are there")
        with psycopg.connect(url, autocommit=True) as connection:
            assert_exact(connection, positions)
