"""What is made into chunks comes back to the last bit; how small it is, is the benchmark's and a few bounds' here."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.chunks import MOST_ROWS, NULLABLE, NUMBERS, UNKNOWN, decode, encode

HOUR_MS = 1_790_000_000_000 // 3_600_000 * 3_600_000
BITS = {"i8": 63, "i4": 31, "i2": 15}
NEVER_NULL = {"flight_id", "time", "received_at", "latitude_e7", "longitude_e7"}
FAR_APART = 1 << 61


def columns_of(rows: list[dict[str, Any]]) -> Columns:
    """Columns of rows in which None is unknown; what stands there then is no zero."""
    values, known = {}, {}
    for name, kind in COLUMN_TYPES.items():
        filler = b"RESIDUE" if kind.startswith("S") else 1
        values[name] = np.array([filler if row[name] is None else row[name] for row in rows], dtype=kind)
        known[name] = np.array([row[name] is not None for row in rows], dtype=bool)
    return Columns(values, known)


def assert_the_same(found: Columns, given: Columns) -> None:
    """Whatever the order of `given`; what is unknown counts as nothing."""
    order = np.lexsort((given["time"], given["flight_id"]))
    for name, kind in COLUMN_TYPES.items():
        known = given.known[name][order]
        assert found[name].dtype == np.dtype(kind)
        assert found.known[name].tolist() == known.tolist(), name
        assert found[name].tolist() == np.where(known, given[name][order], np.zeros(1, dtype=kind)).tolist(), name


def _value(name: str) -> st.SearchStrategy[Any]:
    kind = COLUMN_TYPES[name]
    if name == "flight_id":
        return st.sampled_from([0, 1, (1 << 62) + 5])
    if name == "time":
        return st.integers(HOUR_MS - 5_000, HOUR_MS + 3_600_000 + 5_000)
    if name == "received_at":
        return st.integers(-FAR_APART, FAR_APART) | st.integers(HOUR_MS, HOUR_MS + 10_000)
    if kind == "?":
        return st.booleans()
    if kind in BITS:
        return st.integers(-(1 << BITS[kind]), (1 << BITS[kind]) - 1) | st.integers(-200, 200) | st.just(0)
    return st.sampled_from([b"", b"A", "é".encode()])


ROW = st.fixed_dictionaries(
    {name: _value(name) if name in NEVER_NULL else st.none() | _value(name) for name in COLUMN_TYPES}
)
ROWS = st.lists(ROW, max_size=12, unique_by=lambda row: (row["flight_id"], row["time"]))


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_what_comes_back_is_what_went_in(rows: list[dict[str, Any]]) -> None:
    given_columns = columns_of(rows)
    assert_the_same(decode(encode(given_columns)), given_columns)


def flown(rows: int, step_ms: int = 1_000, **changed: Any) -> Columns:
    """One flight on a straight way at an even pace, climbing."""
    n = np.arange(rows)
    values: dict[str, Any] = {name: np.zeros(rows, dtype=kind) for name, kind in COLUMN_TYPES.items()}
    values["flight_id"] += 0x3C6444 << 32
    values["time"] = HOUR_MS + n * step_ms
    values["received_at"] = values["time"] + 300
    values["latitude_e7"] = (480_000_000 + n * 20_000).astype("i4")
    values["longitude_e7"] = (20_000_000 - n * 15_000).astype("i4")
    values["altitude_ft"] = (5_000 + n * 25).astype("i4")
    values["geometric_altitude_ft"] = values["altitude_ft"] + 600
    values |= changed
    return Columns(values, {name: np.ones(rows, dtype=bool) for name in COLUMN_TYPES})


def test_an_even_flight_stores_next_to_nothing() -> None:
    chunks = encode(flown(MOST_ROWS))
    assert len(chunks) == 1
    assert chunks.heads["altitude_scale"] == [25]
    for name in set(NUMBERS) - {"altitude_ft"}:
        assert int(np.abs(chunks.stored[name]).max()) <= 1, name
    assert chunks.stored["altitude_ft"].tolist() == list(range(MOST_ROWS))


def test_a_chunk_ends_with_the_hour_and_at_its_most() -> None:
    columns = flown(2 * MOST_ROWS, step_ms=3_600_000 // MOST_ROWS + 1)
    chunks = encode(columns)
    assert chunks.heads["hour"].tolist() == [HOUR_MS, HOUR_MS + 3_600_000]
    assert chunks.rows.tolist() == [MOST_ROWS, MOST_ROWS]
    assert encode(flown(MOST_ROWS + 1)).rows.tolist() == [MOST_ROWS, 1]


def test_two_feeds_that_take_turns_make_two_chunks_and_not_one_a_report() -> None:
    turns = np.where(np.arange(100) % 2 == 0, b"paris", b"roof").astype("S32")
    columns = flown(100, source=turns)
    chunks = encode(columns)
    assert sorted(chunks.rows.tolist()) == [50, 50]
    assert_the_same(decode(chunks), columns)


def test_a_jump_across_the_globe_begins_a_chunk_of_its_own() -> None:
    columns = flown(64)
    columns.values["longitude_e7"][40:] = -1_799_999_999
    columns.values["longitude_e7"][:40] = 1_799_999_999
    chunks = encode(columns)
    assert 1 < len(chunks) < 16
    assert_the_same(decode(chunks), columns)


@pytest.mark.parametrize("name", NULLABLE)
def test_what_is_unknown_now_and_then_is_told_from_zero(name: str) -> None:
    columns = flown(30)
    columns.known[name][::3] = False
    chunks = encode(columns)
    assert (chunks.stored[name] == UNKNOWN).sum() == 10
    assert_the_same(decode(chunks), columns)


def test_nothing_makes_no_chunk() -> None:
    assert len(encode(flown(0))) == 0
    assert len(decode(encode(flown(0)))) == 0
