"""The newest report of each flight within the live window: what the live store should hold, kept in memory.

A fold: batches in any order, with repeats, in; the same rows out. It is what a live server that lost its data is filled
from, and what keeps an older report from overwriting a newer one. It knows neither Kafka nor a clock.
"""

from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import COLUMN_TYPES, Columns

Array = npt.NDArray[Any]

_FIRST_ROOM: Final = 1024


class Newest:
    """One row a flight. A report replaces it only where it is strictly newer: of one time the first wins."""

    def __init__(self) -> None:
        # A sorted index over rows in the order in which flights came: a new flight moves two small arrays, no columns.
        self._flight_ids = np.empty(0, dtype="i8")
        self._rows = np.empty(0, dtype=np.intp)
        self._size = 0
        self._columns = _room(_FIRST_ROOM)
        self._partitions = np.empty(_FIRST_ROOM, dtype="i4")

    def __len__(self) -> int:
        return self._size

    def merge(self, batch: Columns, partitions: Array) -> Array:
        """Takes in a batch; the rows that were news, one a flight. `partitions[row]` is the row's Kafka partition."""
        rows = _newest_of_each(batch)
        flight_ids = batch["flight_id"][rows]
        places = np.searchsorted(self._flight_ids, flight_ids)
        present = np.zeros(len(rows), dtype=bool)
        inside = places < len(self._flight_ids)
        present[inside] = self._flight_ids[places[inside]] == flight_ids[inside]
        targets = np.empty(len(rows), dtype=np.intp)
        targets[present] = self._rows[places[present]]
        news = ~present
        news[present] = batch["time"][rows[present]] > self._columns["time"][targets[present]]
        added = int((~present).sum())
        if added:
            self._make_room(added)
            targets[~present] = np.arange(self._size, self._size + added)
            self._flight_ids = np.insert(self._flight_ids, places[~present], flight_ids[~present])
            self._rows = np.insert(self._rows, places[~present], targets[~present])
            self._size += added
        self._put(targets[news], batch, partitions, rows[news])
        return rows[news]

    def rows(self, partitions: Collection[int]) -> Columns:
        """The rows of these Kafka partitions."""
        return self._columns.take(np.flatnonzero(np.isin(self._partitions[: self._size], list(partitions))))

    def drop_older(self, time_ms: int) -> None:
        """Forgets the flights whose newest report is from before that time."""
        self._keep(self._columns["time"][: self._size] >= time_ms)

    def drop_partitions(self, partitions: Collection[int]) -> None:
        """Forgets the flights of Kafka partitions that another consumer looks after now."""
        self._keep(~np.isin(self._partitions[: self._size], list(partitions)))

    def _put(self, targets: Array, batch: Columns, partitions: Array, rows: Array) -> None:
        for name, column in self._columns.values.items():
            column[targets] = batch.values[name][rows]
            self._columns.known[name][targets] = batch.known[name][rows]
        self._partitions[targets] = partitions[rows]

    def _make_room(self, added: int) -> None:
        room = len(self._partitions)
        if self._size + added <= room:
            return
        while room < self._size + added:
            room *= 2
        old, kept = self._columns, slice(self._size)
        self._columns = _room(room)
        for name, column in self._columns.values.items():
            column[kept] = old.values[name][kept]
            self._columns.known[name][kept] = old.known[name][kept]
        self._partitions = np.concatenate([self._partitions, np.empty(room - len(self._partitions), dtype="i4")])

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        if kept.all():
            return
        rows, held, partitions = np.flatnonzero(kept), self._columns, self._partitions
        self._size = len(rows)
        self._columns = _room(max(_FIRST_ROOM, 1 << self._size.bit_length()))
        self._partitions = np.empty(len(self._columns), dtype="i4")
        self._put(np.arange(self._size), held, partitions, rows)
        flight_ids = self._columns["flight_id"][: self._size]
        self._rows = np.argsort(flight_ids)
        self._flight_ids = flight_ids[self._rows]


def _newest_of_each(batch: Columns) -> Array:
    """The row of the newest report of each flight in a batch, by flight id."""
    # By flight, newest first; lexsort is stable, so the first of a time comes first.
    order = np.lexsort((-batch["time"], batch["flight_id"]))
    flight_ids = batch["flight_id"][order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = flight_ids[1:] != flight_ids[:-1]
    return order[first]


def _room(rows: int) -> Columns:
    return Columns(
        {name: np.zeros(rows, dtype=kind) for name, kind in COLUMN_TYPES.items()},
        {name: np.zeros(rows, dtype=bool) for name in COLUMN_TYPES},
    )
