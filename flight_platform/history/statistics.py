"""What an hour of history comes to: counts, rates, latency and coverage, from its columns alone. Pure.

    Columns ──► slices (all, each source, each kind) ──► Figures
           ├──► who was there (flight, kind, source)
           └──► where (H3 cell, source)

Where it is kept, and how hours become days, is `statistics_tables.py`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from h3.api import basic_int as h3

from flight_platform.codec import DEGREE_STEPS, Columns
from flight_platform.history.partitions import CLOSING_MS, HOUR_MS
from flight_platform.history.sketch import sketch
from flight_platform.model import Kind

RESOLUTION: Final = 5  # 253 km2 a cell, 9.9 km an edge: finer than a receiver's edge of sight, coarse enough to keep
_MINUTE_MS: Final = 60_000
_KINDS: Final = {kind.value: kind.label for kind in Kind}

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One slice of an hour. `value` names the source or kind; None where it is of all, or the reports say none."""

    slice: str
    value: str | None
    reports: int
    aircraft: int
    flights: int
    busiest_second_reports: int
    closed_late_reports: int
    minute_reports: list[int]
    latency: Array  # a sketch, as the next
    lateness: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A flight in an hour, as one source reported it in one way."""

    flight_id: int
    kind: str | None
    source: str | None
    reports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of the H3 grid in which a source saw aircraft; the altitudes are those of the ones in the air."""

    cell: int
    source: str | None
    latitude: float
    longitude: float
    reports: int
    flights: int
    lowest_altitude_ft: int | None
    highest_altitude_ft: int | None


def figures(columns: Columns, hour: datetime) -> Iterator[Figures]:
    """The figures of all reports of the hour, then of each source and of each kind; none where there are no reports."""
    if not len(columns):
        return
    start_ms = int(hour.timestamp()) * 1000
    behind = lateness_ms(columns)
    everything = np.ones(len(columns), dtype=bool)
    yield _figures("all", None, columns, everything, behind, start_ms)
    for name, labels in (("source", _sources(columns)), ("kind", _kinds(columns))):
        for value, rows in labels.slices():
            yield _figures(name, value, columns, rows, behind, start_ms)


def _figures(name: str, value: str | None, columns: Columns, rows: Array, behind: Array, start_ms: int) -> Figures:
    time, received, flight = columns["time"][rows], columns["received_at"][rows], columns["flight_id"][rows]
    return Figures(
        slice=name,
        value=value,
        reports=len(time),
        aircraft=len(np.unique(flight >> 32)),
        flights=len(np.unique(flight)),
        busiest_second_reports=int(np.bincount((time - start_ms) // 1000).max()),
        closed_late_reports=int((received >= start_ms + HOUR_MS + CLOSING_MS).sum()),
        minute_reports=np.bincount((time - start_ms) // _MINUTE_MS, minlength=60).tolist(),
        latency=sketch(received - time),
        lateness=sketch(behind[rows]),
    )


def lateness_ms(columns: Columns) -> Array:
    """How far each report is behind the newest that its source had given before it, milliseconds; 0 in order.

    Reports that came at once (one answer of a polled source) are not late to each other.
    """
    if not len(columns):
        return np.empty(0, dtype="i8")
    source = _sources(columns).number
    order = np.lexsort((columns["received_at"], source))
    time, received, of = columns["time"][order], columns["received_at"][order], source[order]
    new_source = np.diff(of, prepend=-1) != 0
    starts = np.flatnonzero(new_source | (np.diff(received, prepend=received[0]) != 0))  # of what came at once
    newest = np.maximum.reduceat(time, starts)
    before = np.empty_like(newest)  # the newest of all that came before, of the same source
    for first, last in pairwise([*np.flatnonzero(new_source[starts]).tolist(), len(starts)]):
        before[first] = np.iinfo("i8").min
        before[first + 1 : last] = np.maximum.accumulate(newest[first : last - 1])
    known = np.repeat(np.maximum(before, 0), np.diff(starts, append=len(time)))
    behind = np.empty_like(time)
    behind[order] = np.maximum(known - time, 0)
    return behind


def presences(columns: Columns) -> list[Presence]:
    """Who was there, and how often each source told of it."""
    sources, kinds = _sources(columns), _kinds(columns)
    keys = np.stack([columns["flight_id"], kinds.number, sources.number], axis=1)
    unique, counts = np.unique(keys, axis=0, return_counts=True)
    return [
        Presence(flight_id=flight, kind=kinds.names[kind], source=sources.names[source], reports=count)
        for (flight, kind, source), count in zip(unique.tolist(), counts.tolist(), strict=True)
    ]


def cells(columns: Columns) -> list[Cell]:
    """Where each source saw aircraft."""
    if not len(columns):
        return []
    sources = _sources(columns)
    cell, source = _cell_of(columns), sources.number
    order = np.lexsort((columns["flight_id"], source, cell))
    cell, source, flight = cell[order], source[order], columns["flight_id"][order]
    another = (np.diff(cell, prepend=0) != 0) | (np.diff(source, prepend=-1) != 0)
    starts = np.flatnonzero(another)
    flights = np.add.reduceat(another | (np.diff(flight, prepend=-1) != 0), starts, dtype="i8")
    reports = np.diff(starts, append=len(cell))
    lowest, highest = _altitudes(columns.take(order), starts)
    return [
        Cell(
            cell=number,
            source=sources.names[of],
            latitude=round(centre[0], 4),
            longitude=round(centre[1], 4),
            reports=count,
            flights=flown,
            lowest_altitude_ft=low,
            highest_altitude_ft=high,
        )
        for number, of, count, flown, low, high, centre in zip(
            cell[starts].tolist(),
            source[starts].tolist(),
            reports.tolist(),
            flights.tolist(),
            lowest,
            highest,
            map(h3.cell_to_latlng, cell[starts].tolist()),
            strict=True,
        )
    ]


def _cell_of(columns: Columns) -> Array:
    """A million a second; as i8, since Postgres has no unsigned numbers and H3 leaves the highest bit free."""
    latitude = (columns["latitude_e7"] / DEGREE_STEPS).tolist()
    longitude = (columns["longitude_e7"] / DEGREE_STEPS).tolist()
    numbers = map(h3.latlng_to_cell, latitude, longitude, [RESOLUTION] * len(columns))
    return np.fromiter(numbers, dtype="i8", count=len(columns))


def _altitudes(columns: Columns, starts: Array) -> tuple[list[int | None], list[int | None]]:
    """Lowest and highest known altitude in the air of each stretch of rows."""
    counts = columns.known["altitude_ft"] & ~(columns.known["on_ground"] & columns["on_ground"])
    altitude, limits = columns["altitude_ft"].astype("i8"), np.iinfo("i4")
    lowest = np.minimum.reduceat(np.where(counts, altitude, limits.max), starts)
    highest = np.maximum.reduceat(np.where(counts, altitude, limits.min), starts)
    some = np.logical_or.reduceat(counts, starts).tolist()
    known = [
        (low, high) if there else (None, None)
        for low, high, there in zip(lowest.tolist(), highest.tolist(), some, strict=True)
    ]
    return [low for low, _ in known], [high for _, high in known]


@dataclass(frozen=True, slots=True)
class _Labels:
    """A column of names as numbers: `names[number[row]]` is what the row says."""

    names: list[str | None]
    number: Array

    def slices(self) -> Iterator[tuple[str | None, Array]]:
        """Each name with the rows that say it."""
        for index, name in enumerate(self.names):
            yield name, self.number == index


def _sources(columns: Columns) -> _Labels:
    text = np.where(columns.known["source"], columns["source"], b"")
    unique, number = np.unique(text, return_inverse=True)
    return _Labels([name.decode("utf-8", "replace") or None for name in unique.tolist()], number)


def _kinds(columns: Columns) -> _Labels:
    """By label, so that what only a newer writer knows is unknown here, as everywhere in SQL."""
    unique, number = np.unique(np.where(columns.known["kind"], columns["kind"], 0), return_inverse=True)
    labels = [_KINDS.get(value) for value in unique.tolist()]
    names = sorted(set(labels), key=lambda label: label or "")
    return _Labels(list(names), np.array([names.index(label) for label in labels], dtype="i8")[number])
