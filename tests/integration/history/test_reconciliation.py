"""The books of history against each other: a whole hour is proved, and each way to damage one is found and named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.partitions import HOUR
from flight_platform.history.progress import Progress
from flight_platform.history.reconciliation import Proof, prove_hours, record_erased, walk_ledger
from flight_platform.history.writer import Writer
from tests.integration.history.filling import TOPIC, batch_of, fill
from tests.integration.history.reports import encoded, stream

pytestmark = pytest.mark.integration

BORN = datetime(2026, 9, 21, 14, 40, tzinfo=UTC)
BORN_MS = round(BORN.timestamp() * 1000)
FIRST = BORN.replace(minute=0)
READ = Progress(until=BORN + timedelta(days=1))


@pytest.fixture
def filled(connection: psycopg.Connection) -> psycopg.Connection:
    """Forty minutes of two aircraft around the turn of an hour, in three batches."""
    reports = stream(2, 240, BORN_MS, step_ms=10_000)
    for part in (reports[:100], reports[100:300], reports[300:]):
        fill(connection, part)
    return connection


def prove(connection: psycopg.Connection, progress: Progress = READ) -> list[Proof]:
    return prove_hours(connection, TOPIC, [FIRST, FIRST + HOUR], progress)


def test_hours_that_the_writer_filled_are_proved_whole_and_the_proof_is_kept(filled: psycopg.Connection) -> None:
    proofs = prove(filled)
    assert [(proof.complete, proof.rows, proof.counted) for proof in proofs] == [(True, 240, 240), (True, 240, 240)]
    kept = filled.execute("SELECT hour, complete, as_of, rows, missing FROM ops.hour_proofs ORDER BY hour").fetchall()
    assert kept == [(FIRST, True, READ.until, 240, []), (FIRST + HOUR, True, READ.until, 240, [])]


def test_repeats_and_late_rows_keep_the_books_equal(filled: psycopg.Connection) -> None:
    fill(filled, stream(3, 240, BORN_MS, step_ms=10_000))
    assert [(proof.complete, proof.rows) for proof in prove(filled)] == [(True, 360), (True, 360)]


def _lose_a_row(connection: psycopg.Connection) -> None:
    connection.execute(
        "DELETE FROM history.positions WHERE (flight_id, time) IN"
        " (SELECT flight_id, time FROM history.positions WHERE time < %s LIMIT 1)",
        [FIRST + HOUR],
    )


def _double_a_row(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO history.positions SELECT (jsonb_populate_record(p, '{\"flight_id\": 1}')).*"
        " FROM history.positions AS p WHERE time < %s LIMIT 1",
        [FIRST + HOUR],
    )


def _lose_a_ledger_row(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM ops.ledger WHERE from_offset = 100")


def _double_a_ledger_row(connection: psycopg.Connection) -> None:
    connection.execute("UPDATE ops.ledger SET to_offset = to_offset + 7 WHERE from_offset = 100")


def _lose_data(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO ops.gaps (hop, source, from_time, to_time, reason) VALUES ('source', 'roof', %s, %s, 'away')",
        [BORN, BORN + timedelta(minutes=1)],
    )


def _archive_too_little(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO ops.hours (hour, archived_at, chunk_rows, chunk_checksum, archived_chunk_checksum, archive_rows,"
        " archive_checksum) VALUES (%s, now(), 9, 7, 7, 8, 6)",
        [FIRST],
    )


def _lose_an_archived_hour(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO ops.archive (day, path, rows, checksum, bytes, archived_at)"
        " VALUES (%s, 'a.parquet', 9, 0, 1, now())",
        [FIRST.date()],
    )


def _lose_chunks(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO ops.hours (hour, compacted_at, chunk_rows) VALUES (%s, now(), 3)", [FIRST])


@pytest.mark.parametrize(
    ("damage", "said", "is_fault"),
    [
        (_lose_a_row, "it holds 239 rows and was given 240", True),
        (_double_a_row, "it holds 241 rows and was given 240", True),
        (_lose_a_ledger_row, "hole of offsets 100 to 300 in partition 0 of the ledger", True),
        (_double_a_ledger_row, "overlap of offsets 300 to 307 in partition 0 of the ledger", True),
        (_lose_chunks, "its chunks hold 0 rows, and compaction wrote 3", True),
        (_archive_too_little, "the archive has 8 rows with checksum 6, the chunks 9 with 7", True),
        (_lose_an_archived_hour, "the file a.parquet has 9 rows, its hours 0", True),
        (_lose_data, "source roof lost data from 2026-09-21 14:40:00 to 2026-09-21 14:41:00: away", False),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else None,
)
def test_damage_is_named_and_a_contradiction_is_told_from_a_known_loss(
    filled: psycopg.Connection, damage: Callable[[psycopg.Connection], None], said: str, is_fault: bool
) -> None:
    # The ledger knows when a batch was written, not of when its rows are: here both are the same.
    filled.execute("UPDATE ops.ledger SET written_at = %s", [BORN])
    damage(filled)
    proof, _ = prove(filled)
    assert not proof.complete
    faults = tuple(fault.seen for fault in proof.faults)
    assert (faults, proof.missing) == (((said,), ()) if is_fault else ((), (said,)))


def test_an_hour_that_was_dropped_is_whole_by_its_archive(filled: psycopg.Connection) -> None:
    filled.execute("DELETE FROM history.positions WHERE time < %s", [FIRST + HOUR])
    filled.execute(
        "INSERT INTO ops.hours (hour, dropped_at, archived_at, archive_rows) VALUES (%s, now(), now(), 240)", [FIRST]
    )
    first, _ = prove(filled)
    assert (first.complete, first.rows, first.counted) == (True, 240, 240)


def test_a_gap_that_was_filled_is_none(filled: psycopg.Connection) -> None:
    _lose_data(filled)
    filled.execute("UPDATE ops.gaps SET filled_at = now()")
    assert prove(filled)[0].complete


def test_what_was_erased_on_purpose_is_not_missed(filled: psycopg.Connection) -> None:
    with filled.transaction():
        _lose_a_row(filled)
        record_erased(filled, FIRST, 1)
    first, _ = prove(filled)
    assert (first.complete, first.rows, first.counted) == (True, 239, 239)


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(until=None, problem="Kafka did not answer"), "Kafka did not answer"),
        (Progress(until=FIRST + HOUR), "Kafka is read up to 2026-09-21 15:00:00 UTC only"),
    ],
    ids=["away", "behind"],
)
def test_an_hour_that_may_still_grow_is_not_proved(filled: psycopg.Connection, progress: Progress, said: str) -> None:
    proof, _ = prove(filled, progress)
    assert (proof.complete, proof.faults, proof.missing) == (False, (), (said,))


def test_rows_that_nobody_counted_prove_nothing(filled: psycopg.Connection) -> None:
    filled.execute("DELETE FROM ops.hour_counts")
    first, _ = prove(filled)
    assert first.missing == ("no count was kept of its 240 rows: they were not written by the history consumer",)


def test_the_ledger_is_walked_once_and_a_hole_is_found_when_the_next_batch_shows_it(
    filled: psycopg.Connection,
) -> None:
    walk_ledger(filled, TOPIC)
    marks = "SELECT proved_from, proved_to FROM ops.ledger_marks"
    assert filled.execute(marks).fetchall() == [(0, 480)]
    start_offsets(filled, TOPIC, {0: Span(start=500, stop=600)})  # Kafka forgot 480 to 499
    Writer(filled, lambda: BORN_MS).write(batch_of(encoded(stream(1, 10, BORN_MS + 9_000_000)), start=500))
    for _ in range(2):
        walk_ledger(filled, TOPIC)
    assert filled.execute(marks).fetchall() == [(0, 510)]
    faults = filled.execute("SELECT kafka_partition, from_offset, to_offset, kind FROM ops.ledger_faults").fetchall()
    assert faults == [(0, 480, 500, "hole")]
