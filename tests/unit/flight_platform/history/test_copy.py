"""The COPY buffer byte by byte; that Postgres reads it so is tests/integration/history/test_copy.py's."""

import struct

import numpy as np

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.copy import COLUMNS, copy_buffer
from flight_platform.history.sql import query

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def columns(size: int, *, known: bool = True, **values: object) -> Columns:
    """Columns of zeros, or of `values`."""
    made = {name: np.zeros(size, dtype=kind) for name, kind in COLUMN_TYPES.items()}
    for name, value in values.items():
        made[name][:] = value
    return Columns(made, {name: np.full(size, known) for name in COLUMN_TYPES})


def test_no_rows_are_a_header_and_a_trailer() -> None:
    assert copy_buffer(columns(0)) == HEAD + b"\xff\xff"


def test_what_is_unknown_takes_no_bytes_but_its_length() -> None:
    expected = struct.pack(">h", 16) + struct.pack(">i", -1) * 16
    assert copy_buffer(columns(2, known=False, callsign=b"RESIDUE", time=5)) == HEAD + expected * 2 + b"\xff\xff"


def test_a_row_has_each_value_with_its_length() -> None:
    row = columns(1, flight_id=5, time=946_684_800_001, latitude_e7=-2, track_ddeg=7, callsign=b"AB", on_ground=True)
    expected = struct.pack(">hiq iq iq ii ii ii ii ii ih ih ih ih i?".replace(" ", ""), 16,
        8, 5, 8, 1_000, 8, -946_684_800_000_000, 4, -2, 4, 0, 4, 0, 4, 0, 4, 0, 2, 0, 2, 7, 2, 0, 2, 0, 1, True,
    ) + struct.pack(">i2sii", 2, b"AB", 0, 0)  # fmt: skip
    assert copy_buffer(row) == HEAD + expected + b"\xff\xff"


def test_text_that_postgres_refuses_is_replaced() -> None:
    odd = columns(4)
    odd.values["callsign"][:] = [b"A\0B", "é".encode(), b"\xff\xfeA", b"ABCDEFG\xc3"]
    odd.values["callsign"] = odd.values["callsign"].copy()
    buffer = copy_buffer(odd)
    for text in (b"A?B", "é".encode(), b"??A", b"ABCDEFG?"):
        assert struct.pack(">i", len(text)) + text in buffer


def test_the_columns_it_was_given_stay_as_they_were() -> None:
    given = columns(3, callsign=b"\xff", source=b"x")
    before = {name: column.copy() for name, column in given.values.items()}
    copy_buffer(given)
    assert all((given[name] == before[name]).all() for name in COLUMN_TYPES)


def test_the_statements_name_the_columns_in_this_order() -> None:
    for name in ("positions_copy", "positions_staging_copy"):
        inside = query(name).partition("(")[2].partition(")")[0]
        assert [word.strip() for word in inside.split(",")] == list(COLUMNS)
    assert set(COLUMNS) == set(COLUMN_TYPES)
