"""The promise: compaction never shows a gap or a double, whatever dies, and whatever comes late or comes again."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from flight_platform.codec import decode_columns, encode
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.checksums import added, checksum
from flight_platform.history.compaction import compact_hour
from flight_platform.history.partitions import HOUR
from flight_platform.history.reading import read_hour
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Position
from flight_platform.testing import migrated_database, wait_until
from tests.integration.history.filling import fill
from tests.integration.history.reports import report, stream

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

START = datetime(2026, 9, 20, 3, tzinfo=UTC)
HOURS = [START + n * HOUR for n in range(6)]
FLIGHTS, REPORTS = 20, 50
BASE = len(HOURS) * FLIGHTS * REPORTS
BASE_FEET = BASE * 30_000
KILLS = 10
LATE = BASE // 100

# What the view shows, and what the ledger says was written, in one snapshot.
LOOK = """
    SELECT count(*), count(DISTINCT (flight_key, time)), sum(altitude_ft), (SELECT sum(rows) FROM ops.ledger)
    FROM analytics.positions
"""
TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'compactor' AND datname = current_database()
"""
# Compacts again and again, and takes up its work when its connection is killed; ends with its process.
COMPACTOR = """
import sys
from datetime import datetime, timedelta
import psycopg
from flight_platform.history.compaction import compact_hour
from flight_platform.history.partitions import HOUR
url, first, hours = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
while True:
    try:
        with psycopg.connect(url, autocommit=True, application_name="compactor") as connection:
            while True:
                for n in range(hours):
                    compact_hour(connection, first + n * HOUR, first + timedelta(days=1))
    except psycopg.OperationalError:
        pass
"""


class Late:
    """Reports that come late, one a batch, among repeats of what was written long ago; by the real writer."""

    def __init__(self, url: str, base: list[Position]) -> None:
        self._url, self._base = url, base
        self._chance = random.Random(5)
        self.written: list[Position] = []

    def run(self, stop: threading.Event) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not stop.is_set() or len(self.written) < LATE:
                number = len(self.written)
                hour = HOURS[self._chance.randrange(len(HOURS))]
                flight = 0x400000 + self._chance.randrange(2 * FLIGHTS)  # half of them are new to the hour
                time_ms = int(hour.timestamp() * 1000) + 3_000_000 + number
                late = report(f"{flight:06x}", int(START.timestamp()), time_ms, altitude_ft=1)
                again = self._chance.sample([*self._base, *self.written], 15)
                done = fill(connection, [late, *again])
                assert (done.rows, done.repeats) == (1, 15)
                self.written.append(late)


def look(connection: psycopg.Connection) -> int:
    """Positions in the view; asserts that each is there once, and all that the ledger says."""
    row = connection.execute(LOOK).fetchone()
    assert row is not None
    rows, distinct, feet, written = map(int, row)
    assert rows == distinct == written, f"{rows} rows, {distinct} distinct, {written} written"
    assert feet == BASE_FEET + rows - BASE
    return rows


def count_committed(url: str, stop: threading.Event) -> None:
    """A reader of single statements: what it counts never shrinks."""
    seen = BASE
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            found = look(connection)
            assert found >= seen
            seen = found


def count_repeatably(url: str, stop: threading.Event) -> None:
    """A reader whose transactions keep their snapshot: it finds the same each time."""
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                assert look(connection) == look(connection)


@contextmanager
def threads(*runs: Callable[[threading.Event], None]) -> Iterator[list[BaseException]]:
    """Runs these beside the test until its end; what goes wrong in them is in the list."""
    stop = threading.Event()
    problems: list[BaseException] = []

    def guarded(run: Callable[[threading.Event], None]) -> None:
        try:
            run(stop)
        except BaseException as error:  # it is the test's to raise
            problems.append(error)

    started = [threading.Thread(target=guarded, args=[run]) for run in runs]
    for thread in started:
        thread.start()
    try:
        yield problems
    finally:
        stop.set()
        for thread in started:
            thread.join(60)


def compactor(url: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", COMPACTOR, url, START.isoformat(), str(len(HOURS))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
    return process


def kill_now_and_then(url: str, problems: list[BaseException]) -> None:
    """Kills the compactor at random moments, now its process, now its connection."""
    chance = random.Random(11)
    moment = threading.Event()  # never set: its wait is a pause of any length
    process = compactor(url)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for kill in range(KILLS):
                moment.wait(chance.uniform(0.02, 0.6))
                assert not problems
                if kill % 4 == 0:
                    process.send_signal(signal.SIGKILL)
                    process.wait(10)
                    process = compactor(url)
                else:
                    wait_until(lambda: connection.execute(TERMINATE).fetchone() != (0,), 10, "a connection to kill")
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.timeout(180)
def test_readers_see_each_position_once_while_compaction_is_killed_and_repeats_come(
    postgres_server: EmbeddedPostgres,
) -> None:
    with migrated_database(postgres_server) as urls:
        url = urls["postgres_url"]
        base = [p for hour in HOURS for p in stream(FLIGHTS, REPORTS, int(hour.timestamp() * 1000), step_ms=5_000)]
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection, base)
            for hour in HOURS:
                record_verdict(connection, hour, passed=True, rows=1, failures=[])
            late = Late(url, base)
            with threads(
                late.run, lambda stop: count_committed(url, stop), lambda stop: count_repeatably(url, stop)
            ) as problems:
                kill_now_and_then(url, problems)
            assert not problems
            wait_until(lambda: all(_done(connection, hour) for hour in HOURS), 30, "the killed ones to let go")
            assert look(connection) == BASE + len(late.written)
            assert len(late.written) >= LATE
            assert connection.execute("SELECT count(*) FROM history.positions").fetchone() == (0,)
            columns, _ = decode_columns([encode(position) for position in [*base, *late.written]])
            assert checksum(columns) == added(*(checksum(read_hour(connection, hour)) for hour in HOURS))


def _done(connection: psycopg.Connection, hour: datetime) -> bool:
    return compact_hour(connection, hour, START + timedelta(days=1)).skipped is None
