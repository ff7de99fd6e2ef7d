"""Chunks: positions of one flight that share what seldom changes, as one row. Pure: Columns in, Columns out.

    one chunk   at most MOST_ROWS positions of one flight in one hour with the same callsign, squawk, source, kind,
                emergency and on_ground; not always one after the other, since two feeds may take turns
    a number    value = head + course + scale * stored      stored: 0 to 65534 or 2^24 - 1, in planes of one byte

The head is the least that is left when the course is taken away, so that `stored` is never negative; the scale is the
greatest common divisor of what remains (altitudes come in steps of 25 ft mostly, rates in steps of 64). The course is
for the time an even pace; for latitude and longitude a straight way from the first position to the last; for the
delay until received_at, the time; for the geometric altitude, the barometric one. Stored in planes the bytes that
seldom change stand side by side, where PostgreSQL's own compression finds them; SQL undoes it all with additions (view
analytics.positions). A number that is unknown is stored as 65535; of which nothing is known has no head. Nothing is
rounded away: what does not fit (a jump across the globe) begins a chunk of its own.

How chunks become bytes of a COPY is `chunk_copy.py`'s, how they get into the database `compaction.py`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import COLUMN_TYPES, Columns

MOST_ROWS: Final = 220  # longer ones are hardly smaller, and would leave more of a page of 8 kB empty
HOUR_MS: Final = 3_600_000
RATE_BITS: Final = 18  # fixed point of the rates: 1e-7 degrees a millisecond
UNKNOWN: Final = 65_535
CONSTANTS: Final = ("callsign", "squawk", "source", "emergency", "kind", "on_ground")

_INT16: Final = (1 << 15) - 1
_INT32: Final = (1 << 31) - 1
_INT64: Final = (1 << 63) - 1

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """How a number stands in a chunk: the name of its head, the largest head, how many bytes, whether it is scaled."""

    head: str
    largest: int
    planes: int
    scaled: bool

    @property
    def most(self) -> int:
        """The largest that can be stored."""
        return UNKNOWN - 1 if self.planes == 2 else (1 << 8 * self.planes) - 1


# In the order in which they are decoded: what a course needs comes before it.
NUMBERS: Final[dict[str, Number]] = {
    "time": Number(head="time_offset", largest=_INT32, planes=3, scaled=True),
    "received_at": Number(head="delay_ms", largest=_INT64, planes=3, scaled=False),
    "latitude_e7": Number(head="latitude_e7", largest=_INT32, planes=3, scaled=False),
    "longitude_e7": Number(head="longitude_e7", largest=_INT32, planes=3, scaled=False),
    "altitude_ft": Number(head="altitude_ft", largest=_INT32, planes=2, scaled=True),
    "geometric_altitude_ft": Number(head="geometric_altitude_ft", largest=_INT32, planes=2, scaled=True),
    "vertical_rate_fpm": Number(head="vertical_rate_fpm", largest=_INT32, planes=2, scaled=True),
    "ground_speed_dkt": Number(head="ground_speed_dkt", largest=_INT16, planes=2, scaled=True),
    "track_ddeg": Number(head="track_ddeg", largest=_INT16, planes=2, scaled=True),
}
_LEADING: Final = ("time", "altitude_ft")  # whose values the courses of others follow
NULLABLE: Final = tuple(name for name, number in NUMBERS.items() if number.planes == 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Chunks as columns: `heads` has a value a chunk, `stored` one a position, the chunks' one behind the other.

    `known_heads` tells which heads of a chunk are known, where one may be unknown.
    """

    rows: Array  # positions of each chunk
    heads: dict[str, Array]
    known_heads: dict[str, npt.NDArray[np.bool_]]
    stored: dict[str, Array]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def starts(self) -> Array:
        """Where the positions of each chunk begin."""
        return np.cumsum(self.rows) - self.rows

    def take(self, wanted: npt.NDArray[np.bool_]) -> "Chunks":
        """The chunks where the mask is true."""
        positions = np.repeat(wanted, self.rows)
        return Chunks(
            rows=self.rows[wanted],
            heads={name: values[wanted] for name, values in self.heads.items()},
            known_heads={name: mask[wanted] for name, mask in self.known_heads.items()},
            stored={name: values[positions] for name, values in self.stored.items()},
        )


def encode(columns: Columns) -> Chunks:
    """The positions as chunks; no (flight_id, time) may be there twice."""
    columns, first = _stretches(columns)
    made: list[Chunks] = []
    while True:
        chunks, fits = _encode(columns, first)
        if fits.all():
            return _joined([*made, chunks])
        made.append(chunks.take(fits))
        columns, first = _halves(columns, first, ~fits)


def decode(chunks: Chunks) -> Columns:
    """The positions of chunks, by flight and time."""
    heads, rows = _Spread(chunks.heads, chunks.rows), chunks.rows
    within = np.arange(int(rows.sum())) - np.repeat(chunks.starts, rows)
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, number in NUMBERS.items():
        stored, head = chunks.stored[name], heads[number.head]
        values[name] = head + _course(name, heads, within, values)
        values[name] += stored * heads[_scale(name)] if number.scaled else stored
        known[name] = np.ones(len(within), dtype=bool)
        if name in NULLABLE:
            known[name] = (stored != UNKNOWN) & np.repeat(chunks.known_heads[number.head], rows)
            if not known[name].all():
                values[name] = np.where(known[name], values[name], head)
    first_time = heads["first_time"]
    values["time"] += first_time
    values["received_at"] += first_time
    for name in ("flight_id", *CONSTANTS):
        values[name] = heads[name]
        known[name] = (
            np.repeat(chunks.known_heads[name], rows) if name in CONSTANTS else np.ones(len(within), dtype=bool)
        )
    for name, kind in COLUMN_TYPES.items():
        values[name] = values[name].astype(kind)
        if not known[name].all():
            values[name][~known[name]] = np.zeros(1, dtype=kind)
    return _by_flight_and_time(
        Columns({name: values[name] for name in COLUMN_TYPES}, {name: known[name] for name in COLUMN_TYPES})
    )


class _Spread:
    """The heads of chunks at each of their positions."""

    def __init__(self, heads: Mapping[str, Array], rows: Array) -> None:
        self._heads, self._rows = heads, rows

    def __getitem__(self, name: str) -> Array:
        spread: Array = np.repeat(self._heads[name], self._rows)
        return spread


def _scale(name: str) -> str:
    return f"{name.rpartition('_')[0] or name}_scale"


def _stretches(columns: Columns) -> tuple[Columns, Array]:
    """The rows in the order of their chunks, and where each chunk begins."""
    columns = _by_flight_and_time(columns)
    run = _runs(columns)
    heads = columns.take(run)
    alike = np.stack([heads["flight_id"], heads["time"] // HOUR_MS, *(_codes(heads, name) for name in CONSTANTS)])
    order = np.lexsort(alike[::-1])  # stable: the runs of one stretch stay in the order of time
    length = np.diff(run, append=len(columns))[order]
    if (order[1:] < order[:-1]).any():
        columns = columns.take(np.repeat(run[order] - _starts(length), length) + np.arange(len(columns)))
    alike = alike[:, order]
    change = np.ones(len(order), dtype=bool)
    change[1:] = (alike[:, 1:] != alike[:, :-1]).any(axis=0)
    rows = np.add.reduceat(length, np.flatnonzero(change)) if len(length) else length
    pieces = -(-rows // MOST_ROWS)
    piece = np.arange(int(pieces.sum())) - np.repeat(_starts(pieces), pieces)
    return columns, np.repeat(_starts(rows), pieces) + piece * MOST_ROWS


def is_in_order(columns: Columns) -> bool:
    """Whether the positions are sorted by flight and time, and none has those of another."""
    flight, time = columns["flight_id"], columns["time"]
    return bool(((flight[1:] > flight[:-1]) | (flight[1:] == flight[:-1]) & (time[1:] > time[:-1])).all())


def _by_flight_and_time(columns: Columns) -> Columns:
    return columns if is_in_order(columns) else columns.take(np.lexsort((columns["time"], columns["flight_id"])))


def _runs(columns: Columns) -> Array:
    """Where rows begin that are alike in flight, hour and what is constant: stretches, or parts of one."""
    change = np.zeros(len(columns), dtype=bool)
    change[:1] = True
    words = [columns["flight_id"], columns["time"] // HOUR_MS]
    for name in CONSTANTS:
        words += [columns.known[name], *_words(columns[name])]
    for word in words:
        change[1:] |= word[1:] != word[:-1]
    return np.flatnonzero(change)


def _words(values: Array) -> list[Array]:
    """A column as numbers: a text has several."""
    if values.dtype.kind != "S":
        return [values]
    width = next(size for size in (8, 4, 2, 1) if values.dtype.itemsize % size == 0)
    words = np.ascontiguousarray(values).view(f"u{width}")
    return list(words.reshape(len(values), values.dtype.itemsize // width).T)


def _codes(columns: Columns, name: str) -> Array:
    """A number for each value of a constant; unknown is one of its own."""
    values = columns[name]
    if values.dtype.kind != "S":
        return np.where(columns.known[name], values.astype("i8"), 1 << 40)
    codes = np.unique(values, return_inverse=True)[1].astype("i8")
    return np.where(columns.known[name], codes, -1)


def _starts(lengths: Array) -> Array:
    starts: Array = np.cumsum(lengths) - lengths
    return starts


def _halves(columns: Columns, first: Array, chosen: npt.NDArray[np.bool_]) -> tuple[Columns, Array]:
    """The rows of the chosen chunks, each chunk cut in two."""
    rows = np.diff(first, append=len(columns))
    kept = rows[chosen]
    pieces = np.stack([kept // 2, kept - kept // 2], axis=1).ravel()
    return columns.take(np.repeat(chosen, rows)), np.cumsum(pieces) - pieces


def _encode(columns: Columns, first: Array) -> tuple[Chunks, npt.NDArray[np.bool_]]:
    """The stretches that begin there as chunks, and which of them can be stored so."""
    rows = np.diff(first, append=len(columns))
    heads, known_heads = _plain_heads(columns, first, rows)
    spread = _Spread(heads, rows)
    within = np.arange(len(columns)) - np.repeat(first, rows)
    values: dict[str, Array] = {}
    stored: dict[str, Array] = {}
    fits = np.ones(len(first), dtype=bool)
    for name, number in NUMBERS.items():
        known, rest = columns.known[name], columns[name].astype("i8")
        whole = name not in NULLABLE or bool(known.all())
        if name in ("time", "received_at"):
            rest -= spread["first_time"]
        if name in _LEADING:
            values[name] = rest.copy()
        rest -= _course(name, spread, within, values)
        head = _least(rest if whole else np.where(known, rest, _INT64), first)
        known_heads[number.head] = head != _INT64
        heads[number.head] = np.where(known_heads[number.head], head, 0)
        rest -= spread[number.head]
        if not whole:
            rest *= known
        if number.scaled:
            heads[_scale(name)] = _common_divisor(rest, first)
            rest //= spread[_scale(name)]
        fits &= (_largest(rest, first) <= number.most) & (abs(heads[number.head]) <= number.largest)
        if not whole:
            rest = np.where(known, rest, np.where(np.repeat(known_heads[number.head], rows), UNKNOWN, 0))
            if name in _LEADING:  # an unknown one says nothing of the next
                values[name] = np.where(known, values[name], spread[number.head])
        stored[name] = rest
    fits |= rows == 1
    chunks = Chunks(rows=rows, heads=heads, known_heads=known_heads, stored=stored)
    return chunks, fits


def _plain_heads(
    columns: Columns, first: Array, rows: Array
) -> tuple[dict[str, Array], dict[str, npt.NDArray[np.bool_]]]:
    """The heads that are not of one number alone: what is constant, the times, the courses, the box."""
    last = first + rows - 1
    time = columns["time"]
    heads = {name: columns[name][first] for name in ("flight_id", *CONSTANTS)}
    heads |= {"hour": time[first] // HOUR_MS * HOUR_MS, "first_time": time[first], "last_time": time[last]}
    span_ms = time[last] - time[first]
    step = np.maximum(_divisor(time - np.repeat(time[first], rows), first), 1)  # the pace keeps to the clock's step
    heads["pace"] = (2 * span_ms // np.maximum(rows - 1, 1) + step) // (2 * step) * step
    for name, rate, least, most in (
        ("latitude_e7", "latitude_rate", "south_e7", "north_e7"),
        ("longitude_e7", "longitude_rate", "west_e7", "east_e7"),
    ):
        degrees = columns[name].astype("i8")
        way = degrees[last] - degrees[first]
        heads[rate] = np.clip((way << RATE_BITS) // np.maximum(span_ms, 1), -_INT32, _INT32)
        heads[least], heads[most] = _least(degrees, first), _largest(degrees, first)
    return heads, {name: columns.known[name][first] for name in CONSTANTS}


def _course(name: str, heads: "_Spread", within: Array, values: Mapping[str, Array]) -> Array | int:
    """What a chunk expects of a number at each position, from the numbers before it; times from the first one."""
    if name == "time":
        return heads["pace"] * within
    if name == "received_at":
        return values["time"]
    if name in ("latitude_e7", "longitude_e7"):
        return heads["latitude_rate" if name == "latitude_e7" else "longitude_rate"] * values["time"] >> RATE_BITS
    if name == "geometric_altitude_ft":
        return values["altitude_ft"] - heads["altitude_ft"]
    return 0


def _common_divisor(values: Array, first: Array) -> Array:
    """Of the values of each chunk; 1 where there is none, or none that a scale can be."""
    divisor = _divisor(values, first)
    return np.where((divisor == 0) | (divisor > _INT16), 1, divisor)


def _divisor(values: Array, first: Array) -> Array:
    return np.gcd.reduceat(values, first) if len(first) else first


def _least(values: Array, first: Array) -> Array:
    return np.minimum.reduceat(values, first) if len(first) else first


def _largest(values: Array, first: Array) -> Array:
    return np.maximum.reduceat(values, first) if len(first) else first


def _joined(parts: list[Chunks]) -> Chunks:
    if len(parts) == 1:
        return parts[0]
    return Chunks(
        rows=np.concatenate([part.rows for part in parts]),
        heads={name: np.concatenate([part.heads[name] for part in parts]) for name in parts[0].heads},
        known_heads={name: np.concatenate([p.known_heads[name] for p in parts]) for name in parts[0].known_heads},
        stored={name: np.concatenate([part.stored[name] for part in parts]) for name in parts[0].stored},
    )
