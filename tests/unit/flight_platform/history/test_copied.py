"""Rows of a binary COPY come apart into the columns that went in, however many of them have one form."""

import struct

import numpy as np
import pytest

import flight_platform.history.copied as module
from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.copied import columns_from
from flight_platform.history.copy import COLUMNS, SIGNATURE, TRAILER, copy_buffer

ROWS = 600


def reports(chance: np.random.Generator) -> Columns:
    """Rows of a few common forms, some of them with the same number of bytes, and of many rare ones."""
    values = {name: np.zeros(ROWS, dtype=kind) for name, kind in COLUMN_TYPES.items()}
    known = {name: np.ones(ROWS, dtype=bool) for name in COLUMN_TYPES}
    for name, kind in COLUMN_TYPES.items():
        if kind.startswith("i"):
            values[name] = chance.integers(-30_000, 30_000, ROWS).astype(kind)
    values["on_ground"] = chance.integers(0, 2, ROWS).astype(bool)
    for name in ("callsign", "source"):
        texts = np.array([b"", b"A", b"BAW12", b"EIN3AB", b"BAW123Z"])
        values[name] = texts[chance.integers(0, len(texts), ROWS) * (np.arange(ROWS) > ROWS // 2)].astype(
            COLUMN_TYPES[name]
        )
    common = np.arange(ROWS) % 3
    known["altitude_ft"] = common != 1
    known["geometric_altitude_ft"] = common != 2  # as many bytes as without the other one
    for name in ("squawk", "emergency", "vertical_rate_fpm", "on_ground", "callsign"):
        known[name] = chance.random(ROWS) < 0.9
    for name in COLUMN_TYPES:
        values[name][~known[name]] = np.zeros(1, COLUMN_TYPES[name])
    return Columns(values, known)


def rows_of(buffer: bytes) -> list[bytes]:
    """A COPY cut into its rows, as the server sends them."""
    rows: list[bytes] = []
    place = len(SIGNATURE)
    while buffer[place:] != TRAILER:
        start, place = place, place + 2
        for _ in COLUMNS:
            (length,) = struct.unpack_from(">i", buffer, place)
            place += 4 + max(length, 0)
        rows.append(buffer[start:place])
    return rows


@pytest.mark.parametrize("many", [1, 2, 20, 150, ROWS, ROWS + 1])
def test_each_value_is_back_in_its_row(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY", many)
    given = reports(np.random.default_rng(many))
    back = columns_from(rows_of(copy_buffer(given)))
    for name, kind in COLUMN_TYPES.items():
        assert back[name].dtype == kind
        assert back.known[name].tolist() == given.known[name].tolist(), name
        assert back[name].tolist() == given[name].tolist(), name


def test_no_rows_are_columns_without_any() -> None:
    assert len(columns_from([])) == 0
