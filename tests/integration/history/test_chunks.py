"""Chunks in the table: SQL reads the positions that went in, and the table's columns are those of the code."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.chunk_copy import HEADS, chunk_buffer
from flight_platform.history.chunks import NUMBERS, encode
from flight_platform.history.copy import COLUMNS, copy_buffer
from flight_platform.history.partitions import ensure_chunk_day, ensure_hour
from flight_platform.history.reading import read_chunks
from flight_platform.history.sql import query
from tests.unit.flight_platform.history.test_chunks import BITS, HOUR_MS, NEVER_NULL, assert_the_same, columns_of

pytestmark = pytest.mark.integration

HOUR = datetime.fromtimestamp(HOUR_MS / 1000, UTC)
NAMES = ", ".join(COLUMNS)
DIFFERENT = f"""
    (SELECT {NAMES} FROM history.positions EXCEPT SELECT {NAMES} FROM history.chunk_positions)
    UNION ALL
    (SELECT {NAMES} FROM history.chunk_positions EXCEPT SELECT {NAMES} FROM history.positions)
"""  # noqa: S608  # our own names


def _value(name: str) -> st.SearchStrategy[Any]:
    kind = COLUMN_TYPES[name]
    if name == "flight_id":
        return st.sampled_from([0, 1, (1 << 62) + 5])
    if name == "time":
        return st.integers(HOUR_MS, HOUR_MS + 3_600_000 - 1)
    if name == "received_at":
        return st.integers(-(10**12), 8 * 10**12)  # 1938 to 2223
    if kind == "?":
        return st.booleans()
    if kind in BITS:
        return st.integers(-(1 << BITS[kind]), (1 << BITS[kind]) - 1) | st.integers(-200, 200) | st.just(0)
    return st.sampled_from([b"", b"A", "é".encode()])


ROW = st.fixed_dictionaries(
    {name: _value(name) if name in NEVER_NULL else st.none() | _value(name) for name in COLUMN_TYPES}
)
ROWS = st.lists(ROW, max_size=10, unique_by=lambda row: (row["flight_id"], row["time"]))


def store(connection: psycopg.Connection, columns: Columns) -> None:
    """The same positions raw and in chunks."""
    ensure_hour(connection, HOUR)
    ensure_chunk_day(connection, HOUR)
    connection.execute("TRUNCATE history.positions, history.chunks")
    with connection.cursor().copy(query("positions_copy")) as copy:
        copy.write(copy_buffer(columns))
    with connection.cursor().copy(query("chunks_copy")) as copy:
        copy.write(chunk_buffer(encode(columns)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_sql_and_code_read_from_chunks_what_went_in(rows: list[dict[str, Any]], connection: psycopg.Connection) -> None:
    columns = columns_of(rows)
    store(connection, columns)
    assert connection.execute(DIFFERENT.encode()).fetchall() == []
    assert connection.execute("SELECT count(*) FROM history.chunk_positions").fetchone() == (len(rows),)
    assert_the_same(read_chunks(connection, HOUR), columns)


def test_the_table_has_the_columns_of_the_code_in_their_order(connection: psycopg.Connection) -> None:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'history.chunks'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    names = [name for (name,) in rows]
    assert names[: len(HEADS)] == list(HEADS)
    assert len(names) == len(HEADS) + sum(number.planes for number in NUMBERS.values())
