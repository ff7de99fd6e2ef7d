"""Whole hours of history as columns, however they are stored: raw, in chunks, or some of both.

For those who work through all of an hour: compaction, flights, statistics, archive. Questions about some of it are
SQL's (`queries.py`, schema `analytics`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.pq import TransactionStatus

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.chunk_copy import chunks_from
from flight_platform.history.chunks import decode, is_in_order
from flight_platform.history.copied import columns_from, copied
from flight_platform.history.partitions import HOUR, start_of_hour
from flight_platform.history.sql import query

BATCH_ROWS: Final = 16_384  # taken apart at once: the processor's cache holds them
BATCH_CHUNKS: Final = 1_024  # at most 225,280 positions: fewer would cut more flights, and sort them twice
Array = npt.NDArray[Any]
Portion = tuple[int, int]  # the flights from one key to another, both included
ALL_FLIGHTS: Final[Portion] = (-(1 << 63), (1 << 63) - 1)


def read_hour(connection: psycopg.Connection[Any], hour: datetime) -> Columns:
    """All positions of the hour that holds `hour`, sorted by flight and time, each once.

    Within a transaction of the caller's it keeps compaction out of the hour until that ends, so it should end soon.
    """
    with _one_view(connection, hour):
        return in_order(joined([read_raw(connection, hour), read_chunks(connection, hour)]))


def read_raw(
    connection: psycopg.Connection[Any], hour: datetime, flights: Portion = ALL_FLIGHTS, *, most: int | None = None
) -> Columns:
    """The raw positions of an hour, of the flights from the first to the last, sorted; only the first `most`."""
    parameters = {**_parameters(hour, flights, hours=1), "most": most}
    with connection.cursor() as cursor:
        batches = copied(cursor, query("positions_hour"), parameters, BATCH_ROWS)
        return joined([columns_from(rows) for rows in batches])


def read_chunks(
    connection: psycopg.Connection[Any], hour: datetime, flights: Portion = ALL_FLIGHTS, *, hours: int = 1
) -> Columns:
    """The positions in the chunks of an hour, or so many, of the flights from the first to the last, sorted."""
    with connection.cursor() as cursor:
        batches = copied(cursor, query("chunks_hour"), _parameters(hour, flights, hours=hours), BATCH_CHUNKS)
        return in_order(joined([decode(chunks_from(rows)) for rows in batches]))


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of these columns, one part behind the other."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if not parts:
        nothing = {name: np.zeros(0, dtype=kind) for name, kind in COLUMN_TYPES.items()}
        return Columns(nothing, {name: np.zeros(0, dtype=bool) for name in COLUMN_TYPES})
    if len(parts) == 1:
        return parts[0]
    return Columns(
        {name: np.concatenate([part.values[name] for part in parts]) for name in COLUMN_TYPES},
        {name: np.concatenate([part.known[name] for part in parts]) for name in COLUMN_TYPES},
    )


def in_order(columns: Columns) -> Columns:
    """The rows by flight and time; of several with the same, the first that was there."""
    if is_in_order(columns):
        return columns
    flight, time = columns["flight_id"], columns["time"]
    order = np.lexsort((time, flight))  # stable
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(flight[order]) != 0) | (np.diff(time[order]) != 0)
    return columns.take(order[first])


def alike(some: Columns, others: Columns) -> bool:
    """Whether these are the same positions in the same order; of what is unknown, that it is unknown."""
    if len(some) != len(others):
        return False
    for name in COLUMN_TYPES:
        known = some.known[name]
        if not np.array_equal(known, others.known[name]):
            return False
        if not _same(some[name], others[name]) and not ((some[name] == others[name]) | ~known).all():
            return False
    return True


def _same(some: Array, others: Array) -> bool:
    """Whether they are the same bytes: of texts a tenth of the time that their comparison takes."""
    return some.dtype == others.dtype and np.array_equal(some.view(np.uint8), others.view(np.uint8))


@contextmanager
def _one_view(connection: psycopg.Connection[Any], hour: datetime) -> Iterator[None]:
    """What is read within is of one moment, as far as compaction goes: by a snapshot, or else by the hour's lock."""
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction():
        if idle:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        else:
            connection.execute(query("positions_enter"), [[int(hour.timestamp()) // 3600]])
        yield


def _parameters(hour: datetime, flights: Portion, *, hours: int) -> dict[str, Any]:
    first = start_of_hour(hour)
    return {"hour": first, "until": first + hours * HOUR, "first_flight": flights[0], "last_flight": flights[1]}
