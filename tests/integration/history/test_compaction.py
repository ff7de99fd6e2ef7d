"""An hour becomes chunks: nothing is lost, nothing is there twice, and nobody is made to wait."""

from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest

import flight_platform.history.compaction as module
from flight_platform.codec import Columns, decode_columns, encode
from flight_platform.history.checksums import checksum
from flight_platform.history.chunks import Chunks
from flight_platform.history.chunks import encode as encode_chunks
from flight_platform.history.compaction import (
    LEAF_KEPT,
    NotComparableError,
    compact_hour,
    compact_hours,
    due_hours,
    retire_leaves,
)
from flight_platform.history.partitions import HOUR, days_ahead, ensure_ahead, ensure_hour, list_hours
from flight_platform.history.reading import read_hour
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Position
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import HOUR_MS, report, stream

pytestmark = pytest.mark.integration

START_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS
START = datetime.fromtimestamp(START_MS / 1000, UTC)
NOW = START + timedelta(hours=3)

FILE = "SELECT pg_relation_filenode(inhrelid) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass"


def passed(connection: psycopg.Connection, *hours: datetime) -> None:
    """The hours are judged well."""
    for hour in hours:
        record_verdict(connection, hour, passed=True, rows=1, failures=[])


def counted(connection: psycopg.Connection) -> tuple[int, int, int]:
    """Positions raw, in chunks, and in the analysts' view."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM history.positions), (SELECT count(*) FROM history.chunk_positions),"
        " (SELECT count(*) FROM analytics.positions)"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def columns_of(positions: list[Position]) -> Columns:
    return decode_columns([encode(position) for position in positions])[0]


def test_an_hour_moves_whole_and_reads_as_before(connection: psycopg.Connection) -> None:
    positions = [*stream(7, 300, START_MS, step_ms=5_000), report("4ca002", START_MS // 1000, START_MS, callsign=None)]
    fill(connection, positions)
    passed(connection, START)
    before = read_hour(connection, START)
    done = compact_hour(connection, START, NOW)
    assert (done.moved, done.rows, done.skipped) == (2101, 2101, None)
    assert done.bytes_after < done.bytes_before / 3
    assert counted(connection) == (0, 2101, 2101)
    after = read_hour(connection, START)
    assert after.values["flight_id"].tolist() == before.values["flight_id"].tolist()
    assert checksum(after) == checksum(before) == checksum(columns_of(positions))
    noted = connection.execute(
        "SELECT rows, chunk_rows, chunk_checksum, compacted_at IS NOT NULL, merged_at FROM ops.hours"
    ).fetchone()
    assert noted == (2101, 2101, checksum(before), True, None)
    state = connection.execute("SELECT hour, state, chunk_rows, gap_s FROM analytics.coverage").fetchall()
    assert state == [(START, "chunks", 2101, 0.0)]
    known = connection.execute(  # to the planner: without statistics it takes the wrong index for a track
        "SELECT reltuples = (SELECT count(*) FROM history.chunks) FROM pg_class WHERE relname ~ '^chunks_[0-9]{8}$'"
    ).fetchall()
    assert known == [(True,)]
    again = compact_hour(connection, START, NOW)
    assert (again.moved, again.rows) == (0, 2101)


def test_a_repeat_of_what_is_in_chunks_stays_one_row_and_what_is_late_is_merged(connection: psycopg.Connection) -> None:
    positions = stream(3, 50, START_MS)
    fill(connection, positions)
    passed(connection, START)
    compact_hour(connection, START, NOW)
    late = [report("4ca001", START_MS // 1000, START_MS + 500), report("400000", START_MS // 1000, START_MS + 123)]
    written = fill(connection, [*positions[:20], *late, *stream(1, 2, START_MS + HOUR_MS)])
    assert (written.rows, written.repeats) == (4, 20)
    assert counted(connection) == (4, 150, 154)
    assert len(read_hour(connection, START)) == 152
    merged = compact_hour(connection, START, NOW)
    assert (merged.moved, merged.rows) == (2, 152)
    assert counted(connection) == (2, 152, 154)
    assert checksum(read_hour(connection, START)) == checksum(columns_of([*positions, *late]))
    noted = connection.execute(
        "SELECT chunk_rows, chunk_checksum, merged_at IS NOT NULL FROM ops.hours WHERE hour = %s", [START]
    ).fetchone()
    assert noted == (152, checksum(columns_of([*positions, *late])), True)
    written = fill(connection, [*positions, *late])
    assert (written.rows, written.repeats) == (0, 152)


def test_what_is_not_judged_well_stays_raw(connection: psycopg.Connection) -> None:
    fill(connection, stream(1, 5, START_MS))
    assert compact_hour(connection, START, NOW).skipped == "it has not passed its checks, and nobody has accepted it"
    record_verdict(connection, START, passed=False, rows=5, failures=[{"name": "altitude"}])
    assert compact_hour(connection, START, NOW).skipped is not None
    assert due_hours(connection, NOW) == []
    passed(connection, START)
    assert due_hours(connection, NOW) == [START]
    assert compact_hour(connection, START, START + HOUR).skipped == "it is not closed yet"


def test_after_days_without_anybody_all_hours_are_due_in_their_order(connection: psycopg.Connection) -> None:
    hours = [START + n * HOUR for n in range(0, 72, 9)]
    for hour in hours:
        fill(connection, stream(1, 3, int(hour.timestamp() * 1000)))
    passed(connection, *hours)
    ensure_hour(connection, START + HOUR)  # with nothing in it: nobody's business
    passed(connection, START + HOUR)
    now = START + timedelta(days=3, hours=2)
    assert due_hours(connection, now) == hours
    assert [done.moved for done in compact_hours(connection, due_hours(connection, now), now)] == [3] * len(hours)
    assert due_hours(connection, now) == []
    fill(connection, [report("4ca001", START_MS // 1000, START_MS + 1)])
    assert due_hours(connection, now) == []  # late rows are merged once an hour
    later = datetime.now(UTC) + timedelta(hours=2)
    assert due_hours(connection, later) == [START]
    retired = retire_leaves(connection, START + LEAF_KEPT + 30 * HOUR)
    assert hours[1] in retired
    assert START not in retired  # the late row is in it
    assert START + HOUR in retired
    assert set(list_hours(connection)) & set(retired) == set()
    fill(connection, [report("4ca001", START_MS // 1000, int(hours[1].timestamp() * 1000) + 7)])
    assert hours[1] in list_hours(connection)  # made again by the writer
    assert counted(connection)[2] == 3 * len(hours) + 2


@pytest.mark.parametrize("size", [30, 100, 360])  # less than one flight, some flights, just all of them
def test_large_hours_are_worked_on_in_portions(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(module, "PORTION_ROWS", size)
    positions = stream(9, 40, START_MS)
    fill(connection, positions)
    passed(connection, START)
    assert compact_hour(connection, START, NOW).moved == 360
    assert checksum(read_hour(connection, START)) == checksum(columns_of(positions))


def test_chunks_that_do_not_read_back_undo_it_all(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connection, stream(2, 5, START_MS))
    passed(connection, START)

    def damaged(columns: Columns) -> Chunks:
        chunks = encode_chunks(columns)
        chunks.stored["altitude_ft"][3] ^= 1
        return chunks

    monkeypatch.setattr(module, "encode", damaged)
    with pytest.raises(NotComparableError, match="nothing was changed"):
        compact_hour(connection, START, NOW)
    assert counted(connection) == (10, 0, 10)
    monkeypatch.setattr(module, "encode", encode_chunks)
    assert compact_hour(connection, START, NOW).moved == 10


def test_two_at_once_do_it_once(connection: psycopg.Connection, database: DatabaseUrls) -> None:
    fill(connection, stream(2, 5, START_MS))
    passed(connection, START)
    with psycopg.connect(database["postgres_url"], autocommit=True) as other, module._alone(other, START) as first:
        assert first
        assert compact_hour(connection, START, NOW).skipped == "somebody else compacts it at this moment"
    assert compact_hour(connection, START, NOW).moved == 10


def test_a_reader_that_began_before_sees_the_raw_rows_to_its_end(
    connection: psycopg.Connection, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    fill(connection, stream(2, 500, START_MS))
    file = connection.execute(FILE).fetchone()
    passed(connection, START)
    with psycopg.connect(database["postgres_url"]) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute("SELECT 1").fetchone() == (1,)  # its snapshot; the leaf is not touched yet
        assert compact_hour(connection, START, NOW).moved == 1000
        assert connection.execute(FILE).fetchone() == file  # not copied for nothing, while everybody would wait
        for _ in range(2):
            found = reader.execute("SELECT count(*), sum(altitude_ft) FROM analytics.positions").fetchone()
            assert found == (1000, 30_000_000)
    assert counted(connection) == (0, 1000, 1000)


def test_an_emptied_leaf_gives_its_space_back_once_a_batch_that_was_under_way_has_ended(
    connection: psycopg.Connection, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connection, stream(2, 500, START_MS))
    passed(connection, START)
    with psycopg.connect(database["postgres_url"]) as writer:
        writer.execute("CREATE TABLE other (n int)")
        monkeypatch.setattr("flight_platform.history.compaction.time.sleep", lambda _: writer.commit())
        assert compact_hour(connection, START, NOW).moved == 1000
    sizes = connection.execute(
        "SELECT pg_relation_size(inhrelid) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass"
    ).fetchall()
    assert sizes == [(0,)]


def test_leaves_are_made_and_dropped_while_a_long_query_runs_and_writers_write(
    connection: psycopg.Connection, database: DatabaseUrls
) -> None:
    """A query of an analyst that lasts keeps nobody from anything: new leaves come, old ones wait for its end."""
    fill(connection, stream(1, 3, START_MS))
    passed(connection, START)
    compact_hour(connection, START, NOW)
    with psycopg.connect(database["postgres_url"]) as analyst:
        assert analyst.execute("SELECT count(*) FROM analytics.positions").fetchone() == (3,)  # and goes on
        made = ensure_ahead(connection, NOW, days=1)
        assert days_ahead(connection, NOW) >= 1
        assert len(made) == 26
        written = fill(connection, stream(1, 2, START_MS + 3 * HOUR_MS))
        assert written.rows == 2
        assert retire_leaves(connection, START + LEAF_KEPT + 2 * HOUR) == []
        assert fill(connection, [report("4ca001", START_MS // 1000, START_MS + 1)]).rows == 1
    assert days_ahead(connection, NOW + timedelta(days=2)) == 0


def test_no_raw_position_is_chunked_under_a_writer(connection: psycopg.Connection, database: DatabaseUrls) -> None:
    """A writer that has entered the hour keeps compaction from its end; what it wrote stays raw and is merged later."""
    positions = stream(2, 5, START_MS)
    fill(connection, positions)
    passed(connection, START)
    with psycopg.connect(database["postgres_url"]) as writer:
        number = int(START.timestamp()) // 3600
        assert writer.execute("SELECT history.enter_hours(%s)", [[number]]).fetchone() == ([],)
        connection.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            compact_hour(connection, START, NOW)
        connection.execute("RESET statement_timeout")
    assert counted(connection) == (10, 0, 10)
    assert compact_hour(connection, START, NOW).moved == 10
    assert np.unique(read_hour(connection, START)["flight_id"]).size == 2
