"""What PostgreSQL's binary COPY sends as columns, without a line of Python a row: the inverse of `copy.py`.

Rows that lie together mostly have one form: the same columns unknown, texts of the same length. Those of one form are
taken as one structured array; those of a rare form are walked all at once, a column at a time, which takes three times
as long. Which statement is sent does not belong here.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat, takewhile
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.copy import COLUMNS, POSTGRES_EPOCH_MS, SIGNATURE, TRAILER, number_on_the_wire

_WIDEST: Final = 64  # bytes of a value: the widest column's, and more
_LENGTH: Final = struct.Struct(">i")
_COUNT_BYTES: Final = 2  # the count of fields, before the first of them
_MANY: Final = 400  # rows of one form, from which on an array of their own pays

Array = npt.NDArray[Any]


def copied(cursor: psycopg.Cursor[Any], statement: str, parameters: Any, size: int) -> Iterator[list[bytes]]:
    """The rows that a COPY ... TO STDOUT (FORMAT binary) sends, each as its bytes, in lists of at most `size`."""
    # From libpq itself: psycopg's own iteration takes four times as long a row.
    with cursor.copy(statement.encode(), parameters) as copy:
        sent = map(bytes, map(itemgetter(1), map(cursor.connection.pgconn.get_copy_data, repeat(0))))
        first = next(sent)[len(SIGNATURE) :]  # the header comes with the first row, or with the trailer
        rows = takewhile(TRAILER.__ne__, chain([first], sent))
        while some := list(islice(rows, size)):
            yield some
        copy.read()  # psycopg takes the end of it


def rows_sent(messages: Sequence[bytes]) -> list[bytes]:
    """The rows in all the messages of one COPY: without header and trailer."""
    first = messages[0][len(SIGNATURE) :]  # the header comes with the first row, or with the trailer
    return [row for row in (first, *messages[1:]) if row != TRAILER]


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

    The rows lie one behind the other, and fill the buffer. The inverse of `laid_out`; nothing (0, no text) stands where
    a value is not known.
    """
    parts = [*_parts(layout, buffer, starts)]
    turns = _turns(parts)
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, kind in layout.items():
        known[name] = _joined(parts, [part.known[name] for part in parts], turns)
        values[name] = _joined(parts, [part.values[name] for part in parts], turns)
        if kind == "timestamp":
            values[name] //= 1000
            values[name] += POSTGRES_EPOCH_MS
            values[name] *= known[name]
    return values, known, _joined(parts, [part.place for part in parts], turns)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows: their numbers, their values as they came, what is known of them, where the next field begins.

    What is the same of all of them may be an array without a dimension.
    """

    rows: Array
    values: dict[str, Array]
    known: dict[str, npt.NDArray[np.bool_]]
    place: Array


def _joined(parts: Sequence[_Part], columns: Sequence[Array], turns: "Array | slice") -> Array:
    """What each part has of a column, in the order of all rows, and in this machine's order of bytes."""
    if len(parts) == 1 and columns[0].ndim:
        return np.ascontiguousarray(columns[0], columns[0].dtype.newbyteorder("="))
    size = sum(len(part.rows) for part in parts)
    if all(column.ndim == 0 and column == columns[0] for column in columns):
        return np.full(size, columns[0])
    joined = np.empty(size, np.result_type(*columns).newbyteorder("="))
    end = 0
    for part, column in zip(parts, columns, strict=True):
        start, end = end, end + len(part.rows)
        joined[start:end] = column
    return joined[turns]


def _turns(parts: Sequence[_Part]) -> "Array | slice":
    """Where each row is, once the parts are joined."""
    if len(parts) == 1:
        return slice(None)
    rows = np.concatenate([part.rows for part in parts])
    turns = np.empty_like(rows)
    turns[rows] = np.arange(len(rows))
    return turns


def _parts(layout: Mapping[str, str], buffer: bytes, starts: Array) -> Iterator[_Part]:
    padded = buffer + bytes(_WIDEST)  # so that the widest value may be taken at the last row
    rare = [np.arange(0)]
    for rows in _by_size(np.diff(starts, append=len(buffer))):
        others = rows
        while len(others) >= _MANY:
            part, others = _of_one_form(layout, padded, starts, others)
            yield part
            if len(part.rows) < _MANY:
                break
        rare.append(others)
    rest = np.sort(np.concatenate(rare))  # a part that is the only one is in order
    if len(rest) or not len(starts):
        yield _walked(layout, padded, starts, rest)


def _by_size(sizes: Array) -> list[Array]:
    """The rows by their number of bytes; together where they are few."""
    if len(sizes) < _MANY:
        return [np.arange(len(sizes))]
    order = np.argsort(sizes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1)


def _of_one_form(layout: Mapping[str, str], buffer: bytes, starts: Array, rows: Array) -> tuple[_Part, Array]:
    """Of rows with the same number of bytes those that have the form of the middle one; the numbers of the others."""
    place = int(starts[rows[len(rows) // 2]]) + _COUNT_BYTES
    fields = [("fields", ">i2")]
    lengths: dict[str, int] = {}
    for name, kind in layout.items():
        (lengths[name],) = _LENGTH.unpack_from(buffer, place)
        place += _LENGTH.size + max(lengths[name], 0)
        fields.append((f"{name}_length", _LENGTH.format))
        if lengths[name] > 0:
            fields.append((name, f"S{lengths[name]}" if kind == "text" else number_on_the_wire(kind)))
    form = np.dtype(fields)
    found = _anywhere(buffer, f"V{form.itemsize}")[starts[rows]].view(form)
    alike = np.logical_and.reduce([found[f"{name}_length"] == length for name, length in lengths.items()])
    others = rows[~alike]
    if len(others):
        rows, found = rows[alike], found[alike]
    part = _Part(
        rows,
        values={name: found[name] if lengths[name] > 0 else _nothing(kind) for name, kind in layout.items()},
        known={name: np.array(length >= 0) for name, length in lengths.items()},
        place=starts[rows] + form.itemsize,
    )
    return part, others


def _nothing(kind: str) -> Array:
    return np.zeros((), "S1" if kind == "text" else number_on_the_wire(kind))


def _walked(layout: Mapping[str, str], buffer: bytes, starts: Array, rows: Array) -> _Part:
    """Any rows."""
    place = starts[rows] + _COUNT_BYTES
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, kind in layout.items():
        length = lengths_at(buffer, place)
        place = place + _LENGTH.size
        known[name] = length >= 0
        if not known[name].all():
            length = np.maximum(length, 0)
        values[name] = _taken(buffer, kind, place, length)
        place += length
    return _Part(rows, values, known, place)


def lengths_at(buffer: bytes, place: Array) -> Array:
    """The lengths of the fields that begin there; -1 of what is not there."""
    lengths: Array = _anywhere(buffer, ">i4")[place].astype("i4")
    return lengths


def _taken(buffer: bytes, kind: str, place: Array, length: Array) -> Array:
    least = int(length.min(initial=_WIDEST))
    if kind == "text":
        width = max(1, min(int(length.max(initial=0)), _WIDEST))
        texts = _anywhere(buffer, f"S{width}")[place]
        if least < width:
            octets = texts.view(np.uint8).reshape(len(texts), width)
            octets[np.arange(width) >= length[:, None]] = 0
        return texts
    values = _anywhere(buffer, number_on_the_wire(kind))[place]
    if least == 0:
        values[length == 0] = 0
    return values


def _anywhere(buffer: bytes, kind: str) -> Array:
    """The value of that type that begins at each byte of the buffer."""
    dtype = np.dtype(kind)
    return np.ndarray((len(buffer) - dtype.itemsize + 1,), dtype, buffer, strides=(1,))
