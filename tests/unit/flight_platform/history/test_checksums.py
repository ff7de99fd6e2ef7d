"""A checksum is that of a set: blind to order and form, and to nothing else."""

import numpy as np
import pytest

import flight_platform.history.checksums as module
from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.checksums import added, checksum
from tests.unit.flight_platform.history.test_chunks import flown


def test_order_and_parts_do_not_matter_and_rows_do() -> None:
    columns = flown(50)
    shuffled = columns.take(np.random.default_rng(1).permutation(50))
    first, second = columns.take(np.arange(20)), columns.take(np.arange(20, 50))
    assert checksum(columns) == checksum(shuffled) == added(checksum(first), checksum(second))
    assert added(checksum(columns), -checksum(second)) == checksum(first)
    assert checksum(first) != checksum(columns)
    assert checksum(columns.take(np.array([0, 0]))) != checksum(columns.take(np.array([1, 1])))
    assert checksum(flown(0)) == 0
    assert -(1 << 63) <= checksum(columns) < 1 << 63


@pytest.mark.parametrize("name", COLUMN_TYPES)
def test_each_column_counts_and_so_does_whether_it_is_known(name: str) -> None:
    sums = {checksum(flown(3))}
    changed, unknown, residue = flown(3), flown(3), flown(3)
    changed.values[name][1] = b"X" if COLUMN_TYPES[name].startswith("S") else changed.values[name][1] + 1
    unknown.known[name][1] = False
    sums |= {checksum(changed), checksum(unknown)}
    assert len(sums) == 3
    residue.known[name][1] = False
    residue.values[name][1] = b"X" if COLUMN_TYPES[name].startswith("S") else 1
    assert checksum(residue) == checksum(unknown)


def test_what_was_booked_long_ago_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = flown(50, callsign=np.full(50, b"BAW12", dtype="S8"), source=np.full(50, b"paris", dtype="S32"))
    columns.known["altitude_ft"][::7] = False
    for at_once in (7, 50, 16_384):
        monkeypatch.setattr(module, "_AT_ONCE", at_once)
        assert checksum(columns) == -2_256_334_334_492_294_056


def test_the_width_of_a_text_does_not_matter() -> None:
    columns = flown(3, source=np.array([b"paris", b"", b"x"], dtype="S5"))
    wide = Columns({**columns.values, "source": columns["source"].astype("S64")}, columns.known)
    assert checksum(columns) == checksum(wide)
