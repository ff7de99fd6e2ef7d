"""What Postgres gives back is what the columns hold, whatever they hold, as SQL and as columns."""

from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.copy import COLUMNS, copy_buffer
from flight_platform.history.partitions import ensure_hour
from flight_platform.history.reading import read_hour
from flight_platform.history.sql import query

pytestmark = pytest.mark.integration

HOUR_MS = 1_790_000_000_000 // 3_600_000 * 3_600_000
NEVER_NULL = {"flight_id", "time", "received_at", "latitude_e7", "longitude_e7"}
BITS = {"i8": 63, "i4": 31, "i2": 15}
SELECT = f"SELECT {', '.join(COLUMNS)} FROM history.positions ORDER BY flight_id"  # noqa: S608  # our own names


def _value(name: str) -> st.SearchStrategy[object]:
    kind = COLUMN_TYPES[name]
    if name == "received_at":
        return st.integers(-(10**12), 10**13)  # 1938 to 2286: what a datetime can tell back
    if kind == "?":
        return st.booleans()
    if kind in BITS:
        return st.integers(-(1 << BITS[kind]), (1 << BITS[kind]) - 1) | st.just(0)
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd"), max_size=8)
    return text.map(lambda t: t.encode()[: int(kind[1:])]).filter(_is_utf8) | st.just(b"")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not data.endswith(b"\0")


ROW = st.fixed_dictionaries(
    {name: _value(name) if name in NEVER_NULL else st.none() | _value(name) for name in COLUMNS}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=6))
def test_what_comes_back_is_what_went_in(rows: list[dict[str, object]], connection: psycopg.Connection) -> None:
    for number, row in enumerate(rows):
        row |= {"flight_id": number - 2, "time": HOUR_MS + number}
    values, known = {}, {}
    for name, kind in COLUMN_TYPES.items():
        filler = b"RESIDUE" if kind.startswith("S") else 1  # what stands where nothing is known must not show
        values[name] = np.array([filler if row[name] is None else row[name] for row in rows], dtype=kind)
        known[name] = np.array([row[name] is not None for row in rows], dtype=bool)
    ensure_hour(connection, datetime.fromtimestamp(HOUR_MS / 1000, UTC))
    connection.execute("TRUNCATE history.positions")
    with connection.cursor().copy(query("positions_copy")) as copy:
        copy.write(copy_buffer(Columns(values, known)))
    found = connection.execute(SELECT.encode()).fetchall()
    assert [dict(zip(COLUMNS, map(_as_column, row), strict=True)) for row in found] == rows
    back = read_hour(connection, datetime.fromtimestamp(HOUR_MS / 1000, UTC))
    for name, kind in COLUMN_TYPES.items():
        assert back[name].dtype == kind
        assert back.known[name].tolist() == known[name].tolist()
        assert back[name].tolist() == np.where(known[name], values[name], np.zeros(1, dtype=kind)).tolist()


def _as_column(value: object) -> object:
    """A value of the table as the columns hold it."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value.encode() if isinstance(value, str) else value
