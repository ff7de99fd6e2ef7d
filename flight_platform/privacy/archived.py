"""An aircraft out of the archive: each day's file that tells of it is written anew without it.

A file is sorted by flight and keeps the least and greatest of each portion, so a day that has nothing of an aircraft is
told by its footer. A callsign is looked for in that one column of every file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flight_platform.codec import Columns
from flight_platform.history.archive import ArchiveError, path_of, rewrite_day
from flight_platform.history.reconciliation import record_erased
from flight_platform.history.sql import query
from flight_platform.privacy.target import Span

Connection = psycopg.Connection[Any]
_KEY: Final = "flight_key"


def archived_flights_under(connection: Connection, folder: Path, callsign: str) -> set[int]:
    """The flights in the archive that ever told a callsign."""
    found: set[int] = set()
    for day in _days(connection):
        with _readable(folder, day) as path:
            table = pq.read_table(path, columns=[_KEY], filters=[("callsign", "==", callsign)], partitioning=None)
        found.update(pc.unique(table.column(_KEY)).to_pylist())
    return found


def erase_archive(
    connection: Connection, folder: Path, spans: list[Span], erased: dict[datetime, int]
) -> Iterator[tuple[date, int]]:
    """Writes the files anew that tell of these flights; the days and how many positions went. Safe to repeat.

    `erased` says what the hours lost in the database already: what was there and in the file is booked once. Raises
    ArchiveError where a file that is on record cannot be read.
    """
    for day in _days(connection):
        with _readable(folder, day) as path:
            if not _tells_of(path, spans):
                continue
            gone = rewrite_day(connection, folder, day, lambda columns: ~_named(columns, spans))
        dropped = {hour for (hour,) in connection.execute(query("erase_dropped_hours"), {"day": day})}
        for number, (rows, _) in gone.items():
            hour = datetime.fromtimestamp(number * 3600, UTC)
            if hour in dropped:
                record_erased(connection, hour, max(0, rows - erased.get(hour, 0)))
        yield day, sum(rows for rows, _ in gone.values())


def _days(connection: Connection) -> list[date]:
    return [day for (day,) in connection.execute("SELECT day FROM ops.archive ORDER BY day").fetchall()]


@contextmanager
def _readable(folder: Path, day: date) -> Iterator[Path]:
    path = folder / path_of(day)
    try:
        yield path
    except (OSError, pa.ArrowInvalid) as error:
        raise ArchiveError(f"{path} cannot be read ({error}). Is FLIGHT_ARCHIVE right?") from error


def _tells_of(path: Path, spans: list[Span]) -> bool:
    """Whether a file may have positions of these flights, by its footer."""
    footer = pq.read_metadata(path)
    column = footer.schema.names.index(_KEY)
    for number in range(footer.num_row_groups):
        known = footer.row_group(number).column(column).statistics
        if known is None or not known.has_min_max:
            return True
        if any(first <= known.max and last >= known.min for first, last in spans):
            return True
    return False


def _named(columns: Columns, spans: list[Span]) -> npt.NDArray[np.bool_]:
    flight = columns["flight_id"]
    named = np.zeros(len(flight), dtype=bool)
    for first, last in spans:
        named |= (flight >= first) & (flight <= last)
    return named
