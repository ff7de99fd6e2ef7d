"""Columns as one buffer of PostgreSQL's binary COPY, without a Python object a row.

    row:  count of fields int16 | length int32, value | length int32, value | ...          (all big-endian)

Every row is laid out at its full width in one numpy structured array; then the bytes that are not there (the value of
a NULL, whose length is -1, and the padding of a text) are masked away.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import Columns

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
