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

MOST_ROWS: Final = 240  # longer ones are hardly smaller, and would leave more of a page of 8 kB empty
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
    chunk = np.repeat(np.arange(len(chunks)), chunks.rows)
    within = np.arange(len(chunk)) - chunks.starts[chunk]
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, number in NUMBERS.items():
        values[name] = chunks.heads[number.head][chunk] + _course(name, chunks.heads, chunk, within, values)
        values[name] += chunks.stored[name] * (chunks.heads[_scale(name)][chunk] if number.scaled else 1)
        known[name] = np.ones(len(chunk), dtype=bool)
        if name in NULLABLE:
            known[name] = (chunks.stored[name] != UNKNOWN) & chunks.known_heads[number.head][chunk]
            values[name] = np.where(known[name], values[name], chunks.heads[number.head][chunk])
    values["time"] += chunks.heads["first_time"][chunk]
    values["received_at"] += chunks.heads["first_time"][chunk]
    for name in ("flight_id", *CONSTANTS):
        values[name] = chunks.heads[name][chunk]
        known[name] = chunks.known_heads[name][chunk] if name in CONSTANTS else np.ones(len(chunk), dtype=bool)
    order = np.lexsort((values["time"], values["flight_id"]))
    for name, kind in COLUMN_TYPES.items():
        values[name] = np.where(known[name], values[name], np.zeros(1, dtype=kind)).astype(kind)[order]
    return Columns({name: values[name] for name in COLUMN_TYPES}, {name: known[name][order] for name in COLUMN_TYPES})


def _scale(name: str) -> str:
    return f"{name.rpartition('_')[0] or name}_scale"


def _stretches(columns: Columns) -> tuple[Columns, Array]:
    """The rows in the order of their chunks, and where each chunk begins."""
    hour = columns["time"] // HOUR_MS
    alike = np.stack([columns["flight_id"], hour, *(_codes(columns, name) for name in CONSTANTS)])
    order = np.lexsort((columns["time"], *alike[::-1]))
    alike = alike[:, order]
    change = np.ones(len(order), dtype=bool)
    change[1:] = (alike[:, 1:] != alike[:, :-1]).any(axis=0)
    start = np.flatnonzero(change)
    within = np.arange(len(order)) - np.repeat(start, np.diff(start, append=len(order)))
    return columns.take(order), np.flatnonzero(change | (within % MOST_ROWS == 0))


def _codes(columns: Columns, name: str) -> Array:
    """A number for each value of a constant; unknown is one of its own."""
    values = columns[name]
    if values.dtype.kind != "S":
        return np.where(columns.known[name], values.astype("i8"), 1 << 40)
    codes = np.unique(values, return_inverse=True)[1].astype("i8")
    return np.where(columns.known[name], codes, -1)


def _halves(columns: Columns, first: Array, chosen: npt.NDArray[np.bool_]) -> tuple[Columns, Array]:
    """The rows of the chosen chunks, each chunk cut in two."""
    rows = np.diff(first, append=len(columns))
    kept = rows[chosen]
    pieces = np.stack([kept // 2, kept - kept // 2], axis=1).ravel()
    return columns.take(np.repeat(chosen, rows)), np.cumsum(pieces) - pieces


def _encode(columns: Columns, first: Array) -> tuple[Chunks, npt.NDArray[np.bool_]]:
    """The stretches that begin there as chunks, and which of them can be stored so."""
    rows = np.diff(first, append=len(columns))
    chunk = np.repeat(np.arange(len(first)), rows)
    within = np.arange(len(chunk)) - first[chunk]
    heads, known_heads = _plain_heads(columns, first, rows)
    values: dict[str, Array] = {}
    stored: dict[str, Array] = {}
    fits = np.ones(len(first), dtype=bool)
    for name, number in NUMBERS.items():
        known = columns.known[name]
        rest = columns[name].astype("i8")
        if name in ("time", "received_at"):
            rest -= heads["first_time"][chunk]
        values[name] = rest.copy()
        rest -= _course(name, heads, chunk, within, values)
        head = _least(np.where(known, rest, _INT64), first)
        known_heads[number.head] = head != _INT64
        heads[number.head] = head = np.where(known_heads[number.head], head, 0)
        rest = np.where(known, rest - head[chunk], 0)
        if number.scaled:
            heads[_scale(name)] = scale = _common_divisor(rest, first)
            rest //= scale[chunk]
        fits &= (_largest(rest, first) <= number.most) & (abs(head) <= number.largest)
        if name in NULLABLE:
            stored[name] = np.where(known, rest, np.where(known_heads[number.head][chunk], UNKNOWN, 0))
            values[name] = np.where(known, values[name], head[chunk])  # an unknown one says nothing of the next
        else:
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


def _course(name: str, heads: Mapping[str, Array], chunk: Array, within: Array, values: Mapping[str, Array]) -> Array:
    """What a chunk expects of a number at each position, from the numbers before it; times from the first one."""
    if name == "time":
        return heads["pace"][chunk] * within
    if name == "received_at":
        return values["time"]
    if name in ("latitude_e7", "longitude_e7"):
        rate = heads["latitude_rate" if name == "latitude_e7" else "longitude_rate"]
        return rate[chunk] * values["time"] >> RATE_BITS
    if name == "geometric_altitude_ft":
        return values["altitude_ft"] - heads["altitude_ft"][chunk]
    return np.zeros(len(chunk), dtype="i8")


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
