"""Chunks as the rows of a binary COPY of `history.chunks`, and back.

A row is its heads, which `copy.py` lays out as it does the columns of a position, and then the planes of each number:
its lowest byte at each position, its second, its third. A plane whose bytes are all 0 is absent (NULL).
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.history.chunks import NUMBERS, Chunks
from flight_platform.history.copied import lengths_at, starts_of, taken_apart
from flight_platform.history.copy import framed, laid_out

# The columns of the table before its planes, in their order.
HEADS: Final[dict[str, str]] = {
    "flight_id": ">i8",
    "hour": "timestamp",
    "first_time": "timestamp",
    "last_time": "timestamp",
    "delay_ms": ">i8",
    "time_offset": ">i4",
    "pace": ">i4",
    "latitude_e7": ">i4",
    "longitude_e7": ">i4",
    "latitude_rate": ">i4",
    "longitude_rate": ">i4",
    "south_e7": ">i4",
    "west_e7": ">i4",
    "north_e7": ">i4",
    "east_e7": ">i4",
    "altitude_ft": ">i4",
    "geometric_altitude_ft": ">i4",
    "vertical_rate_fpm": ">i4",
    "rows": ">i2",
    "ground_speed_dkt": ">i2",
    "track_ddeg": ">i2",
    "time_scale": ">i2",
    "altitude_scale": ">i2",
    "geometric_altitude_scale": ">i2",
    "vertical_rate_scale": ">i2",
    "ground_speed_scale": ">i2",
    "track_scale": ">i2",
    "emergency": ">i2",
    "kind": ">i2",
    "on_ground": "?",
    "callsign": "text",
    "squawk": "text",
    "source": "text",
}
_PLANES: Final = [(name, plane) for name, number in NUMBERS.items() for plane in range(number.planes)]
_FIELDS: Final = len(HEADS) + len(_PLANES)
_ABSENT: Final = b"\xff\xff\xff\xff"
_HEAD_BYTES: Final = 4  # a plane's length
_HOUR: Final = slice(18, 26)  # in a row: behind the count of fields, the flight with its length, and a length

Array = npt.NDArray[Any]


def chunk_buffer(chunks: Chunks) -> bytes:
    """The chunks for COPY ... FROM STDIN (FORMAT binary), the longest first.

    Two or three fill a page, and what comes after them fits into what they leave: a tenth less at rest.
    """
    heads, sizes = laid_out(HEADS, {**chunks.heads, "rows": chunks.rows}, chunks.known_heads, fields=_FIELDS)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    lengths = [size.to_bytes(_HEAD_BYTES, "big") for size in chunks.rows.tolist()]
    rows = list(
        zip(
            (heads[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)),
            *(fields for name in NUMBERS for fields in _plane_fields(chunks, name, lengths)),
            strict=True,
        )
    )
    order = np.argsort(-chunks.rows, kind="stable").tolist()
    return framed(b"".join(chain.from_iterable(map(rows.__getitem__, order))))


def _plane_fields(chunks: Chunks, name: str, lengths: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Plane by plane of a number one field a chunk, each with its length before it."""
    stored, starts = chunks.stored[name].astype("<u4"), chunks.starts
    used = np.bitwise_or.reduceat(stored, starts) if len(chunks) else starts
    octets = stored.view(np.uint8).reshape(-1, 4)
    for plane in range(NUMBERS[name].planes):
        fields = [_ABSENT] * len(chunks)
        wanted = np.flatnonzero(used >> 8 * plane & 0xFF)
        whole = octets[:, plane].tobytes() if len(wanted) else b""
        first = starts[wanted]
        places = zip(wanted.tolist(), first.tolist(), (first + chunks.rows[wanted]).tolist(), strict=True)
        for number, start, end in places:
            fields[number] = lengths[number] + whole[start:end]
        yield fields


def hour_of(row: bytes) -> bytes:
    """The same of chunks of the same hour alone."""
    return row[_HOUR]


def chunks_from(rows: Sequence[bytes]) -> Chunks:
    """The chunks in the rows of a binary COPY of all columns: the inverse of `chunk_buffer`."""
    buffer = b"".join(rows)
    heads, known_heads, place = taken_apart(HEADS, buffer, starts_of(rows))
    sizes = heads.pop("rows").astype("i8")
    values = {name: array.astype("i8") if array.dtype.kind == "i" else array for name, array in heads.items()}
    stored = {name: np.zeros(int(sizes.sum()), dtype="i4") for name in NUMBERS}
    for name, plane in _PLANES:
        octets, place = _plane(buffer, place, sizes)
        if octets is not None:
            stored[name] |= octets.astype("i4") << 8 * plane
    return Chunks(rows=sizes, heads=values, known_heads=known_heads, stored=stored)


def _plane(buffer: bytes, place: Array, sizes: Array) -> tuple[Array | None, Array]:
    """The bytes of one plane of all chunks, one chunk behind the other (None: absent in all), and where the next field
    begins."""
    start = place + _HEAD_BYTES
    absent = lengths_at(buffer, place) < 0
    if absent.all():
        return None, start
    end = np.where(absent, start, start + sizes)
    parts = [
        buffer[at:behind] if at < behind else bytes(size)
        for at, behind, size in zip(start.tolist(), end.tolist(), sizes.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(parts), dtype=np.uint8), end
