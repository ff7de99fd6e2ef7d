"""One number for any set of positions, the same in whatever order and form they lie: raw, in chunks or in the archive.

The sum of a 64-bit hash of each position, modulo 2^64. So sums of parts add up to that of the whole, and a position
that is lost, doubled or changed by one bit shows. No defence against somebody who wants two sets to look alike.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import COLUMN_TYPES, Columns

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_MODULUS: Final = 1 << 64
_AT_ONCE: Final = 16_384  # positions: what is worked on stays in the processor's cache

Array = npt.NDArray[Any]


def checksum(columns: Columns) -> int:
    """Of these positions, as a signed 64-bit number: what PostgreSQL calls bigint."""
    return _signed(int(_hashes(columns).sum(dtype=np.uint64)))


def checksums_by_hour(columns: Columns) -> dict[int, tuple[int, int]]:
    """Number and checksum of the positions of each hour (Unix time / 3600)."""
    hours, index, rows = np.unique(columns["time"] // 3_600_000, return_inverse=True, return_counts=True)
    sums = np.zeros(len(hours), dtype=np.uint64)
    np.add.at(sums, index, _hashes(columns))
    return {int(hour): (int(count), _signed(int(total))) for hour, count, total in zip(hours, rows, sums, strict=True)}


def _hashes(columns: Columns) -> Array:
    hashes = np.zeros(len(columns), dtype=np.uint64)
    room = np.empty(min(len(columns), _AT_ONCE), dtype=np.uint64)
    for start in range(0, len(columns), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        for name, kind in COLUMN_TYPES.items():
            known = columns.known[name][part]
            whole = bool(known.all())
            for word in _words(columns[name][part].astype(kind, copy=False)):
                hashes[part] ^= word if whole else np.where(known, word, np.uint64(0))
                _mix(hashes[part], room)
            hashes[part] += known
            _mix(hashes[part], room)
    return hashes


def added(*sums: int) -> int:
    """The checksum of all the positions of which these are the checksums."""
    return _signed(sum(sums))


def _signed(number: int) -> int:
    number %= _MODULUS
    return number - _MODULUS if number >= _MODULUS >> 1 else number


def _words(values: Array) -> list[Array]:
    """A column as 64-bit words: a text has several."""
    if values.dtype.kind == "S":
        width = -(-values.dtype.itemsize // 8) * 8
        octets = np.frombuffer(values.astype(f"S{width}").tobytes(), dtype=np.uint64)
        return list(octets.reshape(len(values), width // 8).T)
    return [values.astype("i8").view(np.uint64)]


def _mix(hashes: Array, room: Array) -> None:
    """Mixes them where they stand."""
    shifted = room[: len(hashes)]
    hashes += _ODD
    hashes ^= np.right_shift(hashes, np.uint64(30), out=shifted)
    hashes *= _FIRST
    hashes ^= np.right_shift(hashes, np.uint64(27), out=shifted)
    hashes *= _SECOND
    hashes ^= np.right_shift(hashes, np.uint64(31), out=shifted)
