"""The writer's transaction: all of a batch or nothing, once, and a ledger that tells what became of each record."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import psycopg
import pytest

from flight_platform.errors import FencedError
from flight_platform.history.offsets import LogMismatchError, Span, move_offsets, start_offsets
from flight_platform.history.partitions import ensure_hour, list_hours
from flight_platform.history.writer import Batch, Writer
from flight_platform.testing import DatabaseUrls, wait_until
from tests.integration.history.filling import TOPIC, batch_of, fill
from tests.integration.history.reports import HOUR_MS, encoded, report, stream

pytestmark = pytest.mark.integration

BORN_S = 1_790_000_000
BORN_MS = BORN_S * 1000


@pytest.fixture
def writer(connection: psycopg.Connection) -> Writer:
    """A writer whose partitions 0 and 1 start at offset 0, at a time when nothing is late."""
    start_offsets(connection, TOPIC, {0: Span(start=0, stop=0), 1: Span(start=0, stop=0)})
    return Writer(connection, lambda: BORN_MS)


def ledger(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT kafka_partition, from_offset, to_offset, records, rows, repeats, quarantined, late FROM ops.ledger"
        " ORDER BY 1, 2"
    ).fetchall()


def rows(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT count(*) FROM history.positions").fetchone()
    assert found is not None
    return int(found[0])


def has_more_rows(connection: psycopg.Connection, number: int) -> bool:
    return rows(connection) > number


def test_of_equal_identities_the_first_wins(writer: Writer, connection: psycopg.Connection) -> None:
    twice = [report("4ca001", BORN_S, BORN_MS, altitude_ft=ft) for ft in (1_000, 2_000)]
    done = writer.write(batch_of(encoded([*stream(5, 3, BORN_MS), *twice])))
    assert (done.rows, done.repeats, done.quarantined, done.late) == (16, 1, 0, 0)
    assert done.newest_ms == {0: BORN_MS + 2_004}
    assert done.newest_by_source == {"synthetic": BORN_MS + 2_004}
    altitude = connection.execute("SELECT altitude_ft FROM history.positions WHERE flight_id >> 32 = 5021697")
    assert altitude.fetchall() == [(1_000,)]
    assert ledger(connection) == [(0, 0, 17, 17, 16, 1, 0, 0)]


def test_what_history_has_already_counts_as_repeats(writer: Writer, connection: psycopg.Connection) -> None:
    old, new = stream(5, 4, BORN_MS), stream(5, 4, BORN_MS + 10_000)
    writer.write(batch_of(encoded(old)))
    for start in (20, 60):  # once by way of the attempt that fails, once straight through staging
        done = writer.write(batch_of(encoded([*old, *new]), start=start))
        assert done.rows + done.repeats == 40
        new = [replace(position, time=position.time + 60_000) for position in new]
    done = writer.write(batch_of(encoded(stream(1, 5, BORN_MS + 600_000)), start=100))
    assert (done.rows, done.repeats) == (5, 0)
    assert [entry[4:6] for entry in ledger(connection)] == [(20, 0), (20, 20), (20, 20), (5, 0)]
    assert rows(connection) == 65


def test_a_repeat_counts_where_it_came_from(writer: Writer, connection: psycopg.Connection) -> None:
    values = encoded([*stream(3, 1, BORN_MS), *stream(3, 1, BORN_MS), report("4ca009", BORN_S, BORN_MS)])
    batch = Batch(
        topic=TOPIC,
        spans={0: Span(start=0, stop=3), 1: Span(start=0, stop=6)},  # partition 1 ends with two markers
        values=values,
        partitions=np.array([0, 0, 0, 1, 1, 1, 1]),
        offsets=np.array([0, 1, 2, 0, 1, 2, 3]),
    )
    writer.write(batch)
    assert ledger(connection) == [(0, 0, 3, 3, 3, 0, 0, 0), (1, 0, 6, 4, 1, 3, 0, 0)]


def test_what_cannot_be_read_is_quarantined_whole(writer: Writer, connection: psycopg.Connection) -> None:
    good = encoded(stream(2, 1, BORN_MS))
    done = writer.write(batch_of([good[0], b"\xff\x00junk", good[1], b""], start=0))
    assert (done.rows, done.quarantined) == (2, 2)
    found = connection.execute("SELECT kafka_offset, reason, record FROM ops.quarantine ORDER BY 1").fetchall()
    assert found == [(1, "undecodable", b"\xff\x00junk"), (3, "undecodable", b"")]


def test_a_missing_leaf_is_made_and_a_refused_one_quarantines(writer: Writer, connection: psycopg.Connection) -> None:
    ancient = report("4ca002", 1, 1_000)  # 1970: no leaf is made for it
    beyond = report("4ca003", 1, 1 << 58)  # no calendar has it
    values = encoded([ancient, report("4ca001", BORN_S, BORN_MS), beyond])
    done = writer.write(batch_of(values))
    assert (done.rows, done.quarantined) == (1, 2)
    found = connection.execute("SELECT kafka_offset, reason, record FROM ops.quarantine ORDER BY 1").fetchall()
    assert found == [(0, "no_partition", values[0]), (2, "no_partition", values[2])]
    assert list_hours(connection) == [datetime.fromtimestamp(BORN_S // 3600 * 3600, UTC)]


def test_a_leaf_that_vanished_is_made_again(writer: Writer, connection: psycopg.Connection) -> None:
    writer.write(batch_of(encoded(stream(1, 1, BORN_MS))))
    connection.execute("DROP TABLE history.positions_2026092114")
    assert writer.write(batch_of(encoded(stream(1, 1, BORN_MS)), start=1)).rows == 1


def test_late_is_ten_minutes_after_the_hour(connection: psycopg.Connection) -> None:
    start_offsets(connection, TOPIC, {0: Span(start=0, stop=0)})
    end_ms = (BORN_MS // HOUR_MS + 1) * HOUR_MS
    values = encoded([report("4ca001", BORN_S, end_ms - 1), report("4ca001", BORN_S, end_ms)])
    assert Writer(connection, lambda: end_ms + 599_999).write(batch_of(values)).late == 0
    later = encoded([report("4ca002", BORN_S, end_ms - 1), report("4ca002", BORN_S, end_ms)])
    assert Writer(connection, lambda: end_ms + 600_000).write(batch_of(later, start=2)).late == 1


def test_who_is_fenced_leaves_nothing(writer: Writer, connection: psycopg.Connection) -> None:
    move_offsets(connection, TOPIC, {1: Span(start=0, stop=7)})  # another process was here
    batch = replace(
        batch_of(encoded(stream(4, 1, BORN_MS))), spans={0: Span(start=0, stop=4), 1: Span(start=0, stop=1)}
    )
    with pytest.raises(FencedError, match="1 of 2 partitions"):
        writer.write(batch)
    assert (rows(connection), ledger(connection)) == (0, [])
    assert start_offsets(connection, TOPIC, {0: Span(start=0, stop=9), 1: Span(start=0, stop=9)}) == {0: 0, 1: 7}


def test_of_two_writers_of_one_span_one_is_fenced(writer: Writer, database: DatabaseUrls) -> None:
    """The second waits at the offset's row while the first is in the middle, and finds it moved."""
    with (
        psycopg.connect(database["postgres_url"], autocommit=True) as first,
        psycopg.connect(database["postgres_url"], autocommit=True) as watcher,
    ):
        ensure_hour(watcher, datetime.fromtimestamp(BORN_S, UTC))
        outcome: list[str] = []

        def write() -> None:
            try:
                writer.write(batch_of(encoded(stream(4, 1, BORN_MS))))
            except FencedError:
                outcome.append("fenced")

        with first.transaction():
            move_offsets(first, TOPIC, {0: Span(start=0, stop=4)})
            thread = threading.Thread(target=write)
            thread.start()
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            wait_until(lambda: (watcher.execute(waits).fetchone() or [0])[0] == 1, 60, "the second waits")
        thread.join(10)
        assert outcome == ["fenced"]
        assert rows(watcher) == 0


def test_no_reader_sees_half_a_batch(writer: Writer, database: DatabaseUrls) -> None:
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        with psycopg.connect(database["postgres_url"], autocommit=True) as reader:
            while not stop.is_set():
                seen.add(rows(reader))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(10):
        batch = encoded(stream(2_000, 1, BORN_MS + number * 60_000))
        writer.write(batch_of(batch, start=number * 2_000))
    stop.set()
    thread.join(10)
    assert len(seen) > 2
    assert {number % 2_000 for number in seen} == {0}


_WRITE_ON = """
import sys, psycopg
from tests.integration.history.filling import TOPIC, batch_of
from tests.integration.history.reports import encoded, stream
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.writer import Writer
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    writer = Writer(connection, lambda: 0)
    start = start_offsets(connection, TOPIC, {0: Span(start=0, stop=1 << 40)})[0]
    while True:
        writer.write(batch_of(encoded(stream(300, 1, 1_790_000_000_000 + start)), start=start))
        start += 300
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(
    database: DatabaseUrls, connection: psycopg.Connection
) -> None:
    start_offsets(connection, TOPIC, {0: Span(start=0, stop=0)})
    for _ in range(3):
        before = rows(connection)
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITE_ON, database["postgres_url"]], stderr=subprocess.DEVNULL
        )
        try:
            wait_until(partial(has_more_rows, connection, before + 900), 60, "it writes")
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    wait_until(lambda: (connection.execute(ours).fetchone() or [1])[0] == 0, 60, "the server has noticed")
    spans = [(entry[1], entry[2]) for entry in ledger(connection)]
    assert all(entry[3:] == (300, 300, 0, 0, 0) for entry in ledger(connection))
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert rows(connection) == spans[-1][1]


def test_a_log_that_expired_leaves_a_gap(writer: Writer, connection: psycopg.Connection) -> None:
    writer.write(batch_of(encoded(stream(1, 3, BORN_MS))))
    assert start_offsets(connection, TOPIC, {0: Span(start=50, stop=90)}) == {0: 50}
    found = connection.execute("SELECT hop, from_time, reason FROM ops.gaps").fetchall()
    reason = f"Kafka partition 0 of {TOPIC} expired before it was read: its log starts at offset 50"
    assert found == [("history", datetime.fromtimestamp(BORN_S + 2, UTC), reason)]


def test_a_topic_that_was_made_anew_is_refused(writer: Writer, connection: psycopg.Connection) -> None:
    writer.write(batch_of(encoded(stream(1, 3, BORN_MS))))
    with pytest.raises(LogMismatchError, match="made anew"):
        start_offsets(connection, TOPIC, {0: Span(start=0, stop=2)})


def test_a_first_assignment_starts_at_the_low_watermark(connection: psycopg.Connection) -> None:
    assert start_offsets(connection, TOPIC, {3: Span(start=17, stop=40)}) == {3: 17}
    assert start_offsets(connection, TOPIC, {3: Span(start=17, stop=40), 4: Span(start=0, stop=0)}) == {3: 17, 4: 0}


def test_text_that_is_no_utf8_does_not_stop_a_batch(connection: psycopg.Connection) -> None:
    """A protobuf string cut to the column's width may end in the middle of a character."""
    fill(connection, [report("4ca001", BORN_S, BORN_MS, callsign="ABCDEFGé", source="ÿ" * 20)])
    found = connection.execute("SELECT callsign, source FROM history.positions").fetchall()
    assert found == [("ABCDEFG?", "ÿ" * 16)]
