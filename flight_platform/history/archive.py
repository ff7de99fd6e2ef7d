"""Whole days as Parquet files, outside the database, and back again.

    chunks of a day ─► portions of flights ─► <folder>/positions/date=2026-01-31/positions.parquet ─► ops.archive
    (and the file that is there, for hours that were dropped)    written aside, then renamed

A file is sorted by flight and time. Of each hour its rows and its checksum are on record (`ops.hours`), taken from the
chunks and compared with what compaction wrote there: so chunks are held against the raw they replaced, and the file
against the chunks (`verify_day` reads it again). Killed at any point, the old file or the new one is there and whole;
to archive again does no harm. What leaves the database, and when, is `retention.py`'s.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.rows import dict_row

from flight_platform.codec import Columns
from flight_platform.errors import FlightError
from flight_platform.history.checksums import added, checksums_by_hour
from flight_platform.history.compaction import put_back
from flight_platform.history.parquet import SCHEMA, WRITING, from_table, to_table
from flight_platform.history.reading import Portion, in_order, joined, read_chunks
from flight_platform.history.sql import query
from flight_platform.history.withholding import Withholding
from flight_platform.kafka import now_ms

DAY: Final = timedelta(days=1)
# Reports may be a day late (FLIGHT_LATENESS_LIMIT_S); what comes later still has the day written anew.
SETTLED: Final = timedelta(hours=26)
PORTION_ROWS: Final = 500_000  # of a row group
_FILE: Final = "positions.parquet"

Array = npt.NDArray[Any]
Tallies = dict[int, tuple[int, int]]  # of each hour (Unix time / 3600): rows, checksum


class ArchiveError(FlightError):
    """A file of the archive is not what is on record of it, or chunks are not what compaction wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What became of a day: a file with so many rows, or `skipped` says why there is none."""

    day: date
    rows: int = 0
    checksum: int = 0
    bytes: int = 0
    path: str | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class _Old:
    """The file that is there, and the hours of it (Unix time / 3600) that the database no longer has."""

    path: Path
    hours: set[int]

    def of_flights(self, first: int, last: int) -> Columns:
        """The positions of these flights in those hours."""
        within = [("flight_key", ">=", first), ("flight_key", "<=", last)]
        columns = from_table(pq.read_table(self.path, schema=SCHEMA, filters=within, partitioning=None))
        return columns.take(np.isin(columns["time"] // 3_600_000, list(self.hours)))


def path_of(day: date) -> Path:
    """Where a day lies below the archive's folder: Hive layout."""
    return Path("positions") / f"date={day:%Y-%m-%d}" / _FILE


def start_of(day: date) -> datetime:
    """Its first moment."""
    return datetime.combine(day, time(), UTC)


def due_days(
    connection: psycopg.Connection[Any], now: datetime, *, settled: timedelta = SETTLED, since: date | None = None
) -> list[date]:
    """The days that ended so long ago and are not in the archive as they are in the database, oldest first."""
    parameters = {
        "from_time": start_of(since or date(1970, 1, 1)),
        "to_time": start_of((now - settled).astimezone(UTC).date()),
    }
    return [start.astimezone(UTC).date() for (start,) in connection.execute(query("archive_due"), parameters)]


def ready_days(
    connection: psycopg.Connection[Any], now: datetime, *, settled: timedelta = SETTLED, since: date | None = None
) -> list[date]:
    """Those of the due days that have nothing raw any more, and so can be archived now."""
    days = due_days(connection, now, settled=settled, since=since)
    raw = query("archive_raw_hours")
    return [day for day in days if connection.execute(raw, {"start": start_of(day)}).fetchone() is None]


def archive_day(connection: psycopg.Connection[Any], folder: Path, day: date) -> Archived:
    """Writes a day's file, or writes it anew; the connection must be idle.

    Skips a day that has raw positions still: what is not checked is not archived. Raises ArchiveError where chunks are
    not what compaction wrote.
    """
    start = start_of(day)
    with _alone(connection), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        raw = [hour for (hour,) in connection.execute(query("archive_raw_hours"), {"start": start})]
        if raw:
            hours = ", ".join(f"{hour.astimezone(UTC):%H:00}" for hour in raw)
            return Archived(day=day, skipped=f"not compacted yet: {hours}")
        recorded = connection.execute(query("archive_hours"), {"start": start}).fetchall()
        path = folder / path_of(day)
        old = _Old(path, {_number(hour) for hour, *_, dropped, _ in recorded if dropped})
        partial = path.with_suffix(".partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        in_database, in_file = _write(connection, partial, start, old)
        _compare(day, in_database, {_number(hour): (rows, total) for hour, rows, total, *_ in recorded})
        if not in_file:
            partial.unlink()
            return Archived(day=day, skipped="it has no positions")
        return _publish(connection, day, partial, path, in_file, in_database)


def _write(connection: psycopg.Connection[Any], partial: Path, start: datetime, old: "_Old") -> tuple[Tallies, Tallies]:
    """Writes the file; what of each hour came from the database, and what is in the file."""
    in_database: Tallies = {}
    in_file: Tallies = {}
    with closing(pq.ParquetWriter(partial, SCHEMA, **WRITING)) as writer:
        for first, last in _portions(connection, start, old):
            columns = read_chunks(connection, start, (first, last), hours=24)
            _add(in_database, columns)
            if old.hours:
                columns = in_order(joined([old.of_flights(first, last), columns]))
            _add(in_file, columns)
            writer.write_table(to_table(columns), row_group_size=2 * PORTION_ROWS)
    return in_database, in_file


def _portions(connection: psycopg.Connection[Any], start: datetime, old: "_Old") -> Iterator[Portion]:
    """Ranges of flights, first and last, with some PORTION_ROWS positions each."""
    counts = {flight: int(rows) for flight, rows in connection.execute(query("archive_flights"), {"start": start})}
    if old.hours:
        for group in _groups(old.path, ["flight_key"]):
            for flight, rows in zip(*np.unique(group.column("flight_key"), return_counts=True), strict=True):
                counts[int(flight)] = counts.get(int(flight), 0) + int(rows)
    together: list[int] = []
    size = 0
    for flight in sorted(counts):
        if together and size + counts[flight] > PORTION_ROWS:
            yield together[0], together[-1]
            together, size = [], 0
        together.append(flight)
        size += counts[flight]
    if together:
        yield together[0], together[-1]


def _publish(
    connection: psycopg.Connection[Any], day: date, partial: Path, path: Path, in_file: Tallies, in_database: Tallies
) -> Archived:
    """The file takes its place, safe on the disk, and then its place in the books."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    size = partial.stat().st_size
    partial.replace(path)
    made = Archived(
        day=day,
        rows=sum(rows for rows, _ in in_file.values()),
        checksum=added(*(total for _, total in in_file.values())),
        bytes=size,
        path=path_of(day).as_posix(),
    )
    connection.execute(
        query("archive_record"),
        {"day": day, "path": made.path, "rows": made.rows, "checksum": made.checksum, "bytes": size},
    )
    hours = sorted(in_file)
    connection.execute(
        query("archive_record_hours"),
        {
            "hours": [_moment(hour) for hour in hours],
            "rows": [in_file[hour][0] for hour in hours],
            "checksums": [in_file[hour][1] for hour in hours],
            "chunk_checksums": [in_database.get(hour, (0, 0))[1] for hour in hours],
        },
    )
    return made


def rewrite_day(
    connection: psycopg.Connection[Any], folder: Path, day: date, keep: Callable[[Columns], Array]
) -> Tallies:
    """Writes a day's file anew with the positions that `keep` says of a batch; what of each hour is gone.

    The old file stays until the new one is whole, and where nothing would go. The connection must be idle.
    """
    path = folder / path_of(day)
    partial = path.with_suffix(".partial")
    gone: Tallies = {}
    with _alone(connection), connection.transaction():
        of_chunks = dict(connection.execute(query("archive_of_chunks"), {"start": start_of(day)}).fetchall())
        in_file: Tallies = {_number(hour): (0, 0) for hour in of_chunks}
        with closing(pq.ParquetWriter(partial, SCHEMA, **WRITING)) as writer:
            for columns in _batches(path):
                kept = keep(columns)
                _add(gone, columns.take(~kept))
                _add(in_file, columns.take(kept))
                if kept.any():
                    writer.write_table(to_table(columns.take(kept)), row_group_size=2 * PORTION_ROWS)
        if not gone:
            partial.unlink()
            return gone
        as_before = {_number(hour): (0, checksum) for hour, checksum in of_chunks.items()}
        _publish(connection, day, partial, path, in_file, as_before)
    return gone


@contextmanager
def _alone(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """One writer of files at a time; waits for the other. Freed with the connection, however it ends."""
    connection.execute("SELECT pg_advisory_lock('ops.archive'::regclass::bigint)")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock('ops.archive'::regclass::bigint)")


def verify_day(connection: psycopg.Connection[Any], folder: Path, day: date) -> None:
    """Reads a day's file and holds it against the books; raises ArchiveError where it is not what they say."""
    tallies: Tallies = {}
    path = folder / path_of(day)
    try:
        for columns in _batches(path):
            _add(tallies, columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise ArchiveError(
            f"{path} cannot be read ({error}). Archive the day again: flight archive write --from {day}"
        ) from error
    recorded = connection.execute(query("archive_hours"), {"start": start_of(day)}).fetchall()
    books = {_number(hour): (rows, total) for hour, _, _, rows, total, *_ in recorded if rows is not None}
    if tallies != {hour: tally for hour, tally in books.items() if tally[0]}:
        wrong = sorted(hour for hour in tallies.keys() | books.keys() if tallies.get(hour, (0, 0)) != books.get(hour))
        names = ", ".join(f"{_moment(hour):%H:00}" for hour in wrong)
        raise ArchiveError(
            f"{path} is not what is on record of {names}. Archive the day again: flight archive write --from {day}"
        )
    connection.execute(query("archive_verified"), {"day": day})


def restore_day(
    connection: psycopg.Connection[Any],
    folder: Path,
    day: date,
    hours: Sequence[datetime] | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Brings a day, or these hours of it, back from its file; how many positions the file has of them.

    What is in the database stays as it is. Killed on the way, the day counts as dropped still; repeat it then. What the
    block list names does not come back, should the file be an older copy that still has it.
    """
    path = folder / path_of(day)
    if not path.is_file():
        raise ArchiveError(f"{path} is not there: nothing can be restored of {day}. Is FLIGHT_ARCHIVE right?")
    wanted = {_number(hour) for hour in hours} if hours else {_number(start_of(day)) + n for n in range(24)}
    door = Withholding(connection, now_ms)
    seen: set[int] = set()
    rows = 0
    for columns in _batches(path):
        named = door.rows(columns)
        for number, part in _by_hour(columns if named is None else columns.take(~named), wanted):
            put_back(connection, _moment(number), part, complete=False)
            seen.add(number)
            rows += len(part)
            told(rows)
    for number in sorted(seen):
        put_back(connection, _moment(number), joined([]), complete=True)
    connection.execute(query("restore_record_day"), {"day": day, "start": start_of(day)})
    return rows


def list_days(connection: psycopg.Connection[Any], from_day: date, to_day: date) -> list[dict[str, Any]]:
    """What is on record of the days of a stretch, `to_day` left out."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("archive_list"), {"from_day": from_day, "to_day": to_day}).fetchall()


def _compare(day: date, found: Tallies, recorded: Tallies) -> None:
    """Holds the chunks against what compaction wrote of them."""
    for hour in sorted(found.keys() | recorded.keys()):
        if found.get(hour, (0, 0)) != recorded.get(hour, (0, 0)):
            name = f"{_moment(hour):%Y-%m-%d %H:00}"
            raise ArchiveError(
                f"the chunks of {name} are not what compaction wrote: {found.get(hour)} and not {recorded.get(hour)} "
                f"(rows, checksum). {day} is not archived, and nothing of it is dropped"
            )


def _add(tallies: Tallies, columns: Columns) -> None:
    for hour, (rows, total) in checksums_by_hour(columns).items():
        before = tallies.get(hour, (0, 0))
        tallies[hour] = (before[0] + rows, added(before[1], total))


def _by_hour(columns: Columns, wanted: set[int]) -> Iterator[tuple[int, Columns]]:
    numbers = columns["time"] // 3_600_000
    for number in np.unique(numbers).tolist():
        if number in wanted:
            yield number, columns.take(numbers == number)


def _batches(path: Path) -> Iterator[Columns]:
    return (from_table(group) for group in _groups(path, None))


def _groups(path: Path, names: list[str] | None) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=names)


def _moment(number: int) -> datetime:
    return datetime.fromtimestamp(number * 3600, UTC)


def _number(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600
