"""Columns as one buffer of PostgreSQL's binary COPY, without a Python object a value. Back: `copied.py`.

    row:  count of fields int16 | length int32, value | length int32, value | ...          (all big-endian)

Every row is laid out at its full width in one numpy structured array; then the bytes that are not there (the value of
a NULL, whose length is -1, and the padding of a text) are masked away. Which statement is sent does not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import Columns

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
POSTGRES_EPOCH_MS: Final = 946_684_800_000  # 2000-01-01, from which timestamptz counts microseconds
SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no header extension
TRAILER: Final = b"\xff\xff"

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
    return SIGNATURE + rows + TRAILER


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
        fields.append((name, texts[name].values.dtype if name in texts else number_on_the_wire(kind)))
    return np.dtype(fields)


def number_on_the_wire(kind: str) -> str:
    """The type of what is no text, as it is sent."""
    return ">i8" if kind == "timestamp" else kind


def _on_the_wire(kind: str, values: Array) -> Array:
    return (values - POSTGRES_EPOCH_MS) * 1000 if kind == "timestamp" else values


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
