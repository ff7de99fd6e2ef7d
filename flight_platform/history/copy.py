"""Columns as one buffer of PostgreSQL's binary COPY, and back, without a Python object a value.

    row:  count of fields int16 | length int32, value | length int32, value | ...          (all big-endian)

On the way in every row is laid out at its full width in one numpy structured array; then the bytes that are not there
(the value of a NULL, whose length is -1, and the padding of a text) are masked away. On the way out all rows are walked
at once, a column at a time. Which statement is sent does not belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from flight_platform.codec import COLUMN_TYPES, Columns

# The columns of history.positions in their order, each with its big-endian type on the wire. `text` has the batch's own
# width; a `timestamp` is Unix milliseconds here and microseconds of PostgreSQL's epoch there.
COLUMNS: Final[dict[str, str]] = {
    "flight_id": ">i8",
    "time": "timestamp",
    "received_at": "timestamp",
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
_POSTGRES_EPOCH_MS: Final = 946_684_800_000  # 2000-01-01, from which timestamptz counts microseconds
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no header extension
_NUMBER: Final = {"timestamp": ">i8"}
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
    return framed(laid_out(COLUMNS, columns.values, columns.known, fields=len(COLUMNS))[0])


def framed(rows: bytes) -> bytes:
    """Rows as a whole COPY."""
    return _SIGNATURE + rows + _TRAILER


def laid_out(
    layout: Mapping[str, str], values: Mapping[str, Array], known: Mapping[str, Array], *, fields: int
) -> tuple[bytes, Array]:
    """Rows with these columns, one behind the other, and how many bytes each has.

    A column that `known` does not name is known throughout. Each row says that it has `fields`: those that are more
    than the columns are the caller's, to be put behind the row.
    """
    texts = {name: _text(values[name]) for name, kind in layout.items() if kind == "text"}
    size = len(values[next(iter(layout))])
    rows = np.zeros(size, dtype=_dtype(layout, texts))
    rows["fields"] = fields
    present = np.ones((size, rows.dtype.itemsize), dtype=bool)
    for name, kind in layout.items():
        told = known.get(name)
        start = _offset(rows.dtype, name)
        stop = start + rows.dtype[name].itemsize
        length: Array | int = stop - start
        if kind == "text":
            length = texts[name].lengths
            kept = length if told is None else np.where(told, length, 0)
            present[:, start:stop] = np.arange(stop - start) < kept[:, None]
        elif told is not None and not told.all():
            present[:, start:stop] = told[:, None]
        rows[name] = texts[name].values if kind == "text" else _on_the_wire(kind, values[name])
        rows[f"{name}_length"] = length if told is None else np.where(told, length, -1)
    octets = rows.view(np.uint8).reshape(size, rows.dtype.itemsize)
    return octets[present].tobytes(), present.sum(axis=1)


def _dtype(layout: Mapping[str, str], texts: dict[str, _Text]) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, kind in layout.items():
        fields.append((f"{name}_length", ">i4"))
        fields.append((name, texts[name].values.dtype if name in texts else _NUMBER.get(kind, kind)))
    return np.dtype(fields)


def _on_the_wire(kind: str, values: Array) -> Array:
    return (values - _POSTGRES_EPOCH_MS) * 1000 if kind == "timestamp" else values


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
        row = bytes(take(0)[1])[_HEADER_BYTES:]  # the header comes with the first row, or with the trailer
        while len(row) > len(_TRAILER):
            rows.append(row)
            if len(rows) == size:
                yield rows
                rows = []
            row = bytes(take(0)[1])
        copy.read()  # psycopg takes the end of it
    if rows:
        yield rows


def columns_from(rows: Sequence[bytes]) -> Columns:
    """The rows of a binary COPY of all of `COLUMNS`, in their order: the inverse of `copy_buffer`."""
    values, known, _ = taken_apart(COLUMNS, b"".join(rows), starts_of(rows))
    for name, kind in COLUMN_TYPES.items():
        values[name] = values[name].astype(kind, copy=False)
    return Columns({name: values[name] for name in COLUMN_TYPES}, {name: known[name] for name in COLUMN_TYPES})


def starts_of(rows: Sequence[bytes]) -> Array:
    """Where each of these rows begins, once they are joined."""
    lengths = np.fromiter(map(len, rows), dtype="i8", count=len(rows))
    starts: Array = np.cumsum(lengths) - lengths
    return starts


def taken_apart(
    layout: Mapping[str, str], buffer: bytes, starts: Array
) -> tuple[dict[str, Array], dict[str, npt.NDArray[np.bool_]], Array]:
    """The values of each column of the rows that begin there, what is known of them, and where the next field begins.

    The inverse of `laid_out`; nothing (0, no text) stands where a value is not known.
    """
    padded = buffer + bytes(_WIDEST)  # so that the widest value may be taken at the last row
    place = starts + 2  # behind the count of fields
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, kind in layout.items():
        length = _anywhere(padded, ">i4")[place].astype("i4")
        place = place + 4
        known[name] = length >= 0
        if not known[name].all():
            length = np.maximum(length, 0)
        values[name] = _taken(padded, kind, place, length)
        place += length
    return values, known, place


def _taken(buffer: bytes, kind: str, place: Array, length: Array) -> Array:
    least = int(length.min(initial=_WIDEST))
    if kind == "text":
        width = max(1, min(int(length.max(initial=0)), _WIDEST))
        texts = _anywhere(buffer, f"S{width}")[place]
        if least < width:
            octets = texts.view(np.uint8).reshape(len(texts), width)
            octets[np.arange(width) >= length[:, None]] = 0
        return texts
    wire = np.dtype(_NUMBER.get(kind, kind))
    values = _anywhere(buffer, wire.str)[place].astype(wire.newbyteorder("="))
    if kind == "timestamp":
        values //= 1000
        values += _POSTGRES_EPOCH_MS
    if least == 0:
        values[length == 0] = 0
    return values


def _anywhere(buffer: bytes, kind: str) -> Array:
    """The value of that type that begins at each byte of the buffer."""
    dtype = np.dtype(kind)
    return np.ndarray((len(buffer) - dtype.itemsize + 1,), dtype, buffer, strides=(1,))
