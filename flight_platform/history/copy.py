"""Columns as one buffer of PostgreSQL's binary COPY, and back, without a Python object a value.

    row:  count of fields int16 | length int32, value | length int32, value | ...          (all big-endian)

On the way in every row is laid out at its full width in one numpy structured array; then the bytes that are not there
(the value of a NULL, whose length is -1, and the padding of a text) are masked away. On the way out all rows are walked
at once, a column at a time. Which statement is sent does not belong here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from flight_platform.codec import COLUMN_TYPES, Columns

# The table's columns in its order, each with its big-endian type on the wire; text has the batch's own width.
COLUMNS: Final[dict[str, str]] = {
    "flight_id": ">i8",
    "time": ">i8",
    "received_at": ">i8",
    "latitude_e7": ">i4",
    "longitude_e7": ">i4",
    "altitude_ft": ">i4",
    "geometric_altitude_ft": ">i4",
    "vertical_rate_fpm": ">i4",
    "ground_speed_dkt": ">i2",
    "track_ddeg": ">i2",
    "emergency": ">i2",
    "kind": ">i2",
    "on_ground": "?",
    "callsign": "text",
    "squawk": "text",
    "source": "text",
}
_TIMES: Final = frozenset({"time", "received_at"})
_POSTGRES_EPOCH_MS: Final = 946_684_800_000  # 2000-01-01, from which timestamptz counts microseconds
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no header extension
_WIDEST: Final = 64  # bytes of a value: the widest column's, and more
_HEADER_BYTES: Final = len(_SIGNATURE)
_TRAILER: Final = b"\xff\xff"

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Text:
    """A text column: its bytes, zero-padded to the longest of the batch, and how many of them count."""

    values: Array
    lengths: Array


def copy_buffer(columns: Columns) -> bytes:
    """The rows of `columns`, in their order, for COPY ... FROM STDIN (FORMAT binary) of all of `COLUMNS`."""
    texts = {name: _text(columns[name]) for name, kind in COLUMNS.items() if kind == "text"}
    rows = np.zeros(len(columns), dtype=_layout(texts))
    rows["fields"] = len(COLUMNS)
    for name in COLUMNS:
        known = columns.known[name]
        if name in texts:
            value, length = texts[name].values, texts[name].lengths
        else:
            value, length = _on_the_wire(name, columns[name]), rows.dtype[name].itemsize
        rows[name] = value
        rows[f"{name}_length"] = np.where(known, length, -1)
    return _SIGNATURE + _without_padding(rows, columns, texts) + _TRAILER


def _layout(texts: dict[str, _Text]) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, kind in COLUMNS.items():
        fields.append((f"{name}_length", ">i4"))
        fields.append((name, texts[name].values.dtype if name in texts else kind))
    return np.dtype(fields)


def _on_the_wire(name: str, values: Array) -> Array:
    return (values - _POSTGRES_EPOCH_MS) * 1000 if name in _TIMES else values


def _without_padding(rows: Array, columns: Columns, texts: dict[str, _Text]) -> bytes:
    width = rows.dtype.itemsize
    present = np.ones((len(rows), width), dtype=bool)
    for name in COLUMNS:
        known = columns.known[name]
        start = _offset(rows.dtype, name)
        stop = start + rows.dtype[name].itemsize
        if name in texts:
            lengths = np.where(known, texts[name].lengths, 0)
            present[:, start:stop] = np.arange(stop - start) < lengths[:, None]
        elif not known.all():
            present[:, start:stop] = known[:, None]
    return rows.view(np.uint8).reshape(len(rows), width)[present].tobytes()


def _offset(layout: np.dtype[Any], name: str) -> int:
    assert layout.fields is not None  # noqa: S101  # a structured type has fields
    return layout.fields[name][1]


def _text(values: Array) -> _Text:
    """The column no wider than it needs to be, and free of what PostgreSQL refuses in a text."""
    lengths = np.strings.str_len(values)
    width = max(1, int(lengths.max(initial=0)))
    values = values.astype(f"S{width}")
    octets = values.view(np.uint8).reshape(len(values), width)
    inside = np.arange(width) < lengths[:, None]
    suspect = np.flatnonzero(((octets >= 0x80) | (octets == 0) & inside).any(axis=1))
    if len(suspect):
        unique, index = np.unique(values[suspect], return_inverse=True)
        values[suspect] = np.array([_valid(bytes(text)) for text in unique], dtype=f"S{width}")[index]
        lengths = np.strings.str_len(values)
    return _Text(values, lengths)


def _valid(text: bytes) -> bytes:
    """The text with a question mark for each stretch that is not UTF-8 and each zero byte: never longer than it was."""
    return text.decode("utf-8", "replace").replace("\ufffd", "?").replace("\0", "?").encode()


def copied(cursor: psycopg.Cursor[Any], statement: str, parameters: Any, size: int) -> Iterator[list[bytes]]:
    """The rows that a COPY ... TO STDOUT (FORMAT binary) sends, each as its bytes, in lists of at most `size`."""
    # From libpq itself: psycopg's own iteration takes three times as long a row.
    take = cursor.connection.pgconn.get_copy_data
    rows: list[bytes] = []
    with cursor.copy(statement.encode(), parameters) as copy:
        skip = _HEADER_BYTES  # the header comes with the first row, or with the trailer
        while (row := bytes(take(0)[1])[skip:]) != _TRAILER:
            skip = 0
            rows.append(row)
            if len(rows) == size:
                yield rows
                rows = []
        copy.read()  # psycopg takes the end of it
    if rows:
        yield rows


def columns_from(rows: Sequence[bytes]) -> Columns:
    """The rows of a binary COPY of all of `COLUMNS`, in their order: the inverse of `copy_buffer`."""
    buffer = b"".join(rows) + bytes(_WIDEST)  # so that the widest value may be taken at the last row
    place = np.zeros(len(rows), dtype="i8")
    np.cumsum(np.fromiter(map(len, rows[:-1]), dtype="i8", count=max(0, len(rows) - 1)), out=place[1:])
    place += 2  # the count of fields
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, kind in COLUMNS.items():
        length = _anywhere(buffer, ">i4")[place]
        place += 4
        known[name] = length >= 0
        length = np.maximum(length, 0)
        values[name] = _taken(buffer, name, kind, place, length)
        place += length
    return Columns({name: values[name] for name in COLUMN_TYPES}, {name: known[name] for name in COLUMN_TYPES})


def _taken(buffer: bytes, name: str, kind: str, place: Array, length: Array) -> Array:
    """The values of a column at these places; nothing (zero) where they have no length."""
    if kind == "text":
        width = int(COLUMN_TYPES[name][1:])
        texts = _anywhere(buffer, f"S{width}")[place]
        octets = texts.view(np.uint8).reshape(len(texts), width)
        octets[np.arange(width) >= length[:, None]] = 0
        return texts
    values = np.where(length > 0, _anywhere(buffer, kind)[place], np.zeros(1, dtype=kind))
    if name in _TIMES:
        values = np.where(length > 0, values // 1000 + _POSTGRES_EPOCH_MS, 0)
    return values.astype(COLUMN_TYPES[name])


def _anywhere(buffer: bytes, kind: str) -> Array:
    """The value of that type that begins at each byte of the buffer."""
    dtype = np.dtype(kind)
    return np.ndarray((len(buffer) - dtype.itemsize + 1,), dtype, buffer, strides=(1,))
