"""Leaves are made while others read and write, by several at once, and nobody waits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from flight_platform.history.copy import copy_buffer
from flight_platform.history.partitions import HOUR, ensure_ahead, ensure_hour, leaf_name, list_hours, start_of_hour
from flight_platform.history.sql import query
from flight_platform.history.writer import _sort
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import batch_of, fill
from tests.integration.history.reports import encoded, stream

pytestmark = pytest.mark.integration

NOW = datetime(2026, 9, 21, 14, 30, tzinfo=UTC)


def test_leaves_are_named_for_their_hour_in_utc(connection: psycopg.Connection) -> None:
    connection.execute("SET timezone = 'Asia/Kathmandu'")  # 5:45 ahead
    assert ensure_hour(connection, NOW) is True
    assert ensure_hour(connection, NOW) is False
    assert list_hours(connection) == [start_of_hour(NOW)]
    bounds = connection.execute(
        "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition AND relkind = 'r'"
    ).fetchall()
    kathmandu = "FOR VALUES FROM ('2026-09-21 19:45:00+05:45') TO ('2026-09-21 20:45:00+05:45')"
    assert bounds == [(leaf_name(NOW), kathmandu)] == [("positions_2026092114", kathmandu)]


def test_hours_are_utcs_in_a_session_that_changes_its_clocks(connection: psycopg.Connection) -> None:
    connection.execute("SET timezone = 'Europe/Zurich'")  # where 02:00 to 03:00 of this day does not exist
    hours = [datetime(2026, 3, 29, hour, tzinfo=UTC) for hour in range(5)]
    assert [ensure_hour(connection, hour) for hour in hours] == [True] * 5
    assert list_hours(connection) == hours
    assert connection.execute("SELECT hour FROM analytics.coverage ORDER BY 1").fetchall() == [
        (hour,) for hour in hours
    ]


def test_ahead_makes_what_is_missing(connection: psycopg.Connection) -> None:
    ensure_hour(connection, NOW + 3 * HOUR)
    made = ensure_ahead(connection, NOW, days=1)
    assert (made[0], made[-1], len(made)) == (start_of_hour(NOW) - HOUR, start_of_hour(NOW) + 24 * HOUR, 25)
    assert ensure_ahead(connection, NOW, days=1) == []
    assert ensure_ahead(connection, NOW + HOUR, days=1) == [start_of_hour(NOW) + 25 * HOUR]


def test_no_leaf_is_made_for_an_absurd_hour(connection: psycopg.Connection) -> None:
    for hour in (datetime(1989, 12, 31, 23, tzinfo=UTC), datetime.now(UTC) + timedelta(days=62)):
        with pytest.raises(psycopg.DataError, match="no leaf is made"):
            ensure_hour(connection, hour)


def test_many_at_once_make_each_leaf_once(database: DatabaseUrls) -> None:
    hours = [NOW + n * HOUR for n in range(6)]

    def make_all(_: int) -> list[bool]:
        with psycopg.connect(database["postgres_url"], autocommit=True) as connection:
            return [ensure_hour(connection, hour) for hour in hours]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(make_all, range(4)))
    assert [sum(made) for made in zip(*results, strict=True)] == [1] * len(hours)


def test_nobody_waits_for_a_leaf(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    """Beside an open COPY and an open query leaves are made at once, and readers and writers go on meanwhile."""
    now_ms = int(NOW.timestamp() * 1000)
    fill(connection, stream(10, 10, now_ms))
    buffer = copy_buffer(_sort(batch_of(encoded(stream(10, 10, now_ms + 60_000)))).columns)
    url = database["postgres_url"]
    with psycopg.connect(url) as writer, psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as other:
        reader.execute("SELECT count(*) FROM history.positions")  # its transaction, and so its locks, stay open
        with writer.cursor().copy(query("positions_copy")) as copy:
            copy.write(buffer[:1_000])
            made: list[float] = []
            looks: list[float] = []
            stop = threading.Event()

            def look() -> None:
                while not stop.is_set():
                    began = time.monotonic()
                    other.execute("SELECT count(*) FROM history.positions")
                    looks.append(time.monotonic() - began)

            thread = threading.Thread(target=look)
            thread.start()
            for n in range(1, 21):
                began = time.monotonic()
                assert ensure_hour(connection, NOW + n * HOUR)
                made.append(time.monotonic() - began)
            stop.set()
            thread.join(10)
            copy.write(buffer[1_000:])
        reader.execute("SELECT count(*) FROM history.positions")
    found = connection.execute("SELECT count(*) FROM history.positions").fetchone()
    assert found == (200,)
    assert len(looks) >= 5
    # Medians: on a busy machine a single one may be scheduled away. Had anybody waited, all would take 100 ms or more.
    assert sorted(made)[len(made) // 2] < 0.1
    assert sorted(looks)[len(looks) // 2] < 0.1


def test_a_lock_in_the_way_is_waited_out_in_small_steps(
    database: DatabaseUrls, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database["postgres_url"]) as other:
        other.execute("LOCK TABLE history.positions IN SHARE UPDATE EXCLUSIVE MODE")  # as ATTACH takes it
        monkeypatch.setattr("flight_platform.history.partitions.TRIES", 2)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            ensure_hour(connection, NOW)
        monkeypatch.setattr("flight_platform.history.partitions.TRIES", 50)
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        assert ensure_hour(connection, NOW)
        timer.join()


def test_a_leaf_that_is_there_is_there_while_somebody_changes_it(
    database: DatabaseUrls, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_hour(connection, NOW)
    with psycopg.connect(database["postgres_url"]) as other:
        number = int(NOW.timestamp()) // 3600
        other.execute("SELECT pg_advisory_xact_lock(history.leaf_lock_class(), %s)", [number])
        monkeypatch.setattr("flight_platform.history.partitions.TRIES", 1)  # waiting for the lock would be an error
        assert ensure_hour(connection, NOW) is False
