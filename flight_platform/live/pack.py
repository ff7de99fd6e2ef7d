"""Many SETs at once: from the columns of a batch to the bytes that live servers take, without an object a row.

Every SET of one id length has the same length, so a batch is a numpy table: a record with the constant words is copied
to all rows, then each value's bytes are written into their place, a column at a time, most of them by looking the
number up in a table of its texts. What makes that possible is that Tile38 strips blanks around a field's value
(`"  35000"` is stored as `35000`), takes `EX 0059.750` and `POINT +050.0333000 ...`. A leading zero in a field
would not do: it would make the number a string.

What a table does not hold (a text with quotes, control characters or an odd number's name, a year beyond 2286) goes
the plain way of `fields.command`, a row at a time.
"""

from functools import cache
from typing import Any, Final

import hiredis
import numpy as np
import numpy.typing as npt

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.live.fields import BIT, COLUMN, FIELDS, LABELS, NUMBER_WORDS, TENTHS, TEXTS, command
from flight_platform.model import NON_ICAO_BIT
from flight_platform.names import COLLECTION_FLIGHTS

Array = npt.NDArray[Any]

_LOWEST, _HIGHEST = -40_000, 140_000  # whole numbers that the table holds: model.RANGES and a little
_WIDTHS: Final = {"known": 4, "time": 13, "received_at": 13, "on_ground": 1} | dict.fromkeys(TENTHS, 6)
_LABEL_WIDTH: Final = 2 + max(len(label) for labels in LABELS.values() for label in labels.values())
_NUMBER_STARTS: Final = np.array([byte in b"nNiI+-" for byte in range(256)])
_ODD_TEXTS: Final = np.array([word.encode() for word in NUMBER_WORDS])


def pack_sets(columns: Columns, now_ms: int, window_ms: int, *, only_absent: bool = False) -> bytes:
    """The SETs of all rows, each to live for what is left of the window by its own time, as one run of bytes.

    With `only_absent` a SET does nothing where the flight is there already.
    """
    left_ms = np.clip(columns["time"] + (window_ms - now_ms), 1, window_ms)
    odd = _odd(columns)
    non_icao = (columns["flight_id"] >> 32 & NON_ICAO_BIT) != 0
    runs = []
    for prefix, rows in ((b"", ~odd & ~non_icao), (b"~", ~odd & non_icao)):
        if rows.all():
            return _pack(columns, left_ms, _record(prefix, only_absent=only_absent))
        if rows.any():
            runs.append(_pack(columns.take(rows), left_ms[rows], _record(prefix, only_absent=only_absent)))
    runs += [
        hiredis.pack_command(tuple(command(columns, row, int(left_ms[row]), only_absent=only_absent)))
        for row in np.flatnonzero(odd).tolist()
    ]
    return b"".join(runs)


def _odd(columns: Columns) -> npt.NDArray[np.bool_]:
    """The rows that the tables do not hold."""
    odd = np.zeros(len(columns), dtype=bool)
    for name in ("time", "received_at"):
        odd |= (columns[name] < 10**12) | (columns[name] >= 10**13)
    for name in ("altitude_ft", "geometric_altitude_ft", "vertical_rate_fpm"):
        odd |= (columns[name] < _LOWEST) | (columns[name] > _HIGHEST)
    odd |= (columns["ground_speed_dkt"] < 0) | (columns["track_ddeg"] < 0)
    for name in TEXTS:
        text = columns[name]
        body = _bytes(text)
        escaped = ((body < 0x20) & (body != 0)) | (body > 0x7E) | (body == b'"'[0]) | (body == b"\\"[0])
        escaped[:, :-1] |= (body[:, :-1] == 0) & (body[:, 1:] != 0)  # a zero byte inside, not padding
        if escaped.any():
            odd |= escaped.any(axis=1)
        # Only what starts as a number's name or sign can be one: spares the slow comparison.
        suspects = _NUMBER_STARTS[body[:, 0]]
        if suspects.any():
            odd[suspects] |= np.isin(np.char.lower(text[suspects]), _ODD_TEXTS)
    return odd


def _pack(columns: Columns, left_ms: Array, record: Array) -> bytes:
    # As bytes: numpy would copy a record field by field, at twenty times the cost.
    table = np.empty((len(columns), record.dtype.itemsize), dtype="u1")
    table[:] = np.frombuffer(record.tobytes(), dtype="u1")
    out = table.view(record.dtype).reshape(len(columns))
    flight_id = columns["flight_id"]
    out["id0"] = _hex(3)[flight_id >> 44 & 0xFFF]
    out["id1"] = _hex(3)[flight_id >> 32 & 0xFFF]
    out["id2"] = _hex(4)[flight_id >> 16 & 0xFFFF]
    out["id3"] = _hex(4)[flight_id & 0xFFFF]
    for name in ("time", "received_at"):
        for place, digits in enumerate(_groups(columns[name], 13)):
            out[f"{name}{place}"] = digits
    mask = np.zeros(len(columns), dtype="i4")
    for name, bit in BIT.items():
        column = COLUMN.get(name, name)
        known = columns.known[column]
        if name in LABELS:
            table = _labels(name)
            numbers = columns[column]
            number = np.where(known & (numbers > 0) & (numbers < len(table)), numbers, 0)
            out[name], known = table[number], number > 0
        elif name in TEXTS:
            out[name] = _quote(columns[column], known)
        elif name == "on_ground":
            out[name] = _digits(1)[(columns[column] & known).astype("i1")]
        elif name in TENTHS:
            out[name] = _tenths()[columns[column] * known]
        else:
            out[name] = _whole()[columns[column] * known - _LOWEST]
        mask |= known * np.int32(bit)
    out["known"] = _masks()[mask]
    out["ex_s"], out["ex_ms"] = _digits(4)[left_ms // 1000], _digits(3)[left_ms % 1000]
    for name in ("latitude_e7", "longitude_e7"):
        steps = columns[name].astype("i8")
        out[f"{name}_sign"] = np.where(steps < 0, b"-", b"+")
        whole, fraction = np.divmod(np.abs(steps), 10_000_000)
        out[f"{name}_whole"] = _digits(3)[whole]
        out[f"{name}_0"], out[f"{name}_1"] = _digits(3)[fraction // 10_000], _digits(4)[fraction % 10_000]
    return out.tobytes()


@cache
def _record(prefix: bytes, *, only_absent: bool) -> Array:
    """One SET with its constant bytes; what varies are its named fields."""
    parts: list[tuple[str, bytes]] = []  # name of a variable part or "", bytes

    def word(*pieces: tuple[str, int | bytes]) -> None:
        filled = [(name, piece if isinstance(piece, bytes) else b" " * piece) for name, piece in pieces]
        parts.append(("", b"$%d\r\n" % sum(len(piece) for _, piece in filled)))
        parts.extend([*filled, ("", b"\r\n")])

    parts.append(("", b"*%d\r\n" % (3 + 3 * len(FIELDS) + 5 + only_absent)))
    word(("", b"SET"))
    word(("", COLLECTION_FLIGHTS.encode()))
    word(("", prefix), ("id0", 3), ("id1", 3), ("", b"-"), ("id2", 4), ("id3", 4))
    for name in FIELDS:
        word(("", b"FIELD"))
        word(("", name.encode()))
        if name in ("time", "received_at"):
            word(*((f"{name}{place}", width) for place, width in enumerate((1, 4, 4, 4))))
        else:
            word((name, _width(name)))
    word(("", b"EX"))
    word(("ex_s", 4), ("", b"."), ("ex_ms", 3))
    if only_absent:
        word(("", b"NX"))
    word(("", b"POINT"))
    for name in ("latitude_e7", "longitude_e7"):
        word((f"{name}_sign", 1), (f"{name}_whole", 3), ("", b"."), (f"{name}_0", 3), (f"{name}_1", 4))
    dtype = np.dtype([(name or f"constant{i}", f"S{len(piece)}") for i, (name, piece) in enumerate(parts) if piece])
    record: Array = np.frombuffer(b"".join(piece for _, piece in parts), dtype=dtype)[0]
    return record


def _width(name: str) -> int:
    if name in TEXTS:
        return 2 + int(COLUMN_TYPES[name][1:])
    return _LABEL_WIDTH if name in LABELS else _WIDTHS.get(name, 7)


def _bytes(text: Array) -> Array:
    return np.ascontiguousarray(text).view("u1").reshape(len(text), text.dtype.itemsize)


def _quote(text: Array, known: Array) -> Array:
    """Texts between quotes, padded with blanks behind them; 0 where unknown."""
    width = text.dtype.itemsize
    quoted = np.full((len(text), width + 2), b" "[0], dtype="u1")
    body = _bytes(text)
    length = (body != 0).sum(axis=1)
    np.copyto(quoted[:, 1:-1], body, where=body != 0)
    quoted[:, 0] = b'"'[0]
    quoted[np.arange(len(text)), length + 1] = b'"'[0]
    if not known.all():
        quoted[~known] = b" "[0]
        quoted[~known, 0] = b"0"[0]
    return quoted.view(f"S{width + 2}").reshape(len(text))


def _groups(numbers: Array, width: int) -> list[Array]:
    """The digits of numbers of that many digits: the first, then four at a time."""
    groups = []
    for _ in range(width // 4):
        numbers, low = np.divmod(numbers, 10_000)
        groups.append(_digits(4)[low])
    return [_digits(1)[numbers], *reversed(groups)]


@cache
def _digits(width: int) -> Array:
    return np.array([b"%0*d" % (width, number) for number in range(10**width)])


@cache
def _hex(width: int) -> Array:
    return np.array([b"%0*x" % (width, number) for number in range(16**width)])


@cache
def _whole() -> Array:
    return np.array([b"%7d" % number for number in range(_LOWEST, _HIGHEST + 1)])


@cache
def _tenths() -> Array:
    return np.array([b"     0"] + [b"%6.1f" % (number / 10) for number in range(1, 1 << 15)])


@cache
def _masks() -> Array:
    return np.array([b"%4d" % mask for mask in range(1 << len(BIT))])


@cache
def _labels(name: str) -> Array:
    labels = LABELS[name]
    texts = ["0", *(f'"{labels[number]}"' if number in labels else "0" for number in range(1, max(labels) + 1))]
    return np.array([text.ljust(_LABEL_WIDTH).encode() for text in texts])
