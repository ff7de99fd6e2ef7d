"""The one transaction that writes a batch: rows, quarantine, offsets and ledger, or nothing of it.

    messages ──► columns ──► first of each (flight_id, time), sorted ──► COPY ─┐
        │                                    └─► on the block list: gone     ├─ offsets move (fenced), ledger ─► commit
        └─► cannot be read, or has no partition ──────────► ops.quarantine ───┘
    └────────────── prepare ────────────────────────────┘└──────────── Writer ────────────────────────────────────────┘

What `prepare` does needs no connection, so that it can be done while the batch before is being written. An hour that
has chunks already takes its rows through staging, and they are looked for in the chunks: a repeat of what was compacted
is a repeat. Reading Kafka is `streaming/history.py`'s. A batch that fails is unchanged and may be written again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
import structlog

from flight_platform.codec import Columns, decode_columns
from flight_platform.history.copy import copy_buffer
from flight_platform.history.offsets import Span, move_offsets
from flight_platform.history.partitions import CLOSING_MS, HOUR_MS, ensure_hour, list_hours
from flight_platform.history.sql import query
from flight_platform.history.withholding import Withholding
from flight_platform.names import Reason
from flight_platform.watermarks import newest_by_source

log = structlog.get_logger()

_PARTITION_BITS: Final = 20  # of a number that holds hour and Kafka partition: one sort tells both apart

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive records of some partitions: `spans` tells all that they cover, markers and empty ones included."""

    topic: str
    spans: Mapping[int, Span]
    values: Sequence[bytes]
    partitions: Array  # of each record
    offsets: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a batch: totals, and what can be told of its rows (None where it has none)."""

    rows: int
    repeats: int
    quarantined: int
    late: int
    withheld: int = 0
    newest_ms: Mapping[int, int]  # newest event time by partition
    newest_by_source: Mapping[str, int]  # newest event time of all that was taken, repeats and what is withheld too
    received_ms: Array  # when the feed took each row


@dataclass(slots=True)
class _Sorted:
    """A batch on its way: its rows as they will be written, and what is no row."""

    columns: Columns
    record: Array  # of each row: its index in the batch
    repeats: Array  # indexes in the batch
    newest_by_source: Mapping[str, int]
    refused: list[tuple[int, Reason, str]] = field(default_factory=list)
    withheld: list[int] = field(default_factory=list)  # indexes in the batch

    def without(self, rows: npt.NDArray[np.bool_]) -> list[int]:
        """Takes these rows out; the indexes in the batch that they had."""
        taken: list[int] = self.record[rows].tolist()
        self.columns, self.record = self.columns.take(~rows), self.record[~rows]
        return taken


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch with all done that needs no connection: its rows sorted, and as the bytes of a COPY."""

    batch: Batch
    rows: _Sorted
    buffer: bytes


def prepare(batch: Batch) -> Prepared:
    """Decodes, sorts and packs a batch."""
    rows = _sort(batch)
    return Prepared(batch, rows, copy_buffer(rows.columns))


class Writer:
    """Writes batches over one connection, which it alone uses (autocommit, so that each transaction is explicit)."""

    def __init__(self, connection: psycopg.Connection, now_ms: Callable[[], int]) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._leaves = {_hour_number(hour) for hour in list_hours(connection)}
        self._through_staging = False
        self._withholding = Withholding(connection, now_ms)

    def write(self, batch: Batch) -> Written:
        """Writes all of the batch or, where it raises, nothing.

        Raises FencedError where another process has moved the offsets, psycopg.Error where the server does not do it.
        """
        return self.write_prepared(prepare(batch))

    def write_prepared(self, prepared: Prepared) -> Written:
        """The same of a batch that was prepared before; it may be written again as well."""
        work = replace(prepared.rows, refused=[*prepared.rows.refused], withheld=[])
        self._set_aside_what_has_no_leaf(work)
        try:
            return self._write(prepared, work)
        except psycopg.errors.CheckViolation:  # a leaf that we knew is gone: retention took it
            self._leaves.clear()
            self._set_aside_what_has_no_leaf(work)
            return self._write(prepared, work)

    def _write(self, prepared: Prepared, work: _Sorted) -> Written:
        """Straight where the rows are new; through staging where history has some of them already."""
        if not self._through_staging:
            try:
                return self._transaction(prepared, work, straight=True)
            except psycopg.errors.UniqueViolation:
                log.info("batch_repeats", records=len(prepared.batch.values))
        written = self._transaction(prepared, work, straight=False)
        # Repeats come in long runs (a replay): while they last, the attempt that fails is saved.
        self._through_staging = written.repeats > len(work.repeats)
        return written

    def _transaction(self, prepared: Prepared, work: _Sorted, *, straight: bool) -> Written:
        batch = prepared.batch
        with self._connection.transaction():
            move_offsets(self._connection, batch.topic, batch.spans)  # first: whoever is fenced finds out here
            self._withhold(work)
            chunked = self._enter_hours(work)
            unchanged = work.columns is prepared.rows.columns
            buffer = prepared.buffer if unchanged else copy_buffer(work.columns)
            had = self._copy(buffer) if straight and not chunked else self._merge(buffer, chunked)  # indexes of rows
            new = np.ones(len(work.columns), dtype=bool)
            new[had] = False
            self._quarantine(batch, work)
            return self._account(batch, work, new)

    def _withhold(self, work: _Sorted) -> None:
        """Takes out the rows of aircraft that the block list names: they count, and are kept nowhere."""
        named = self._withholding.rows(work.columns)
        if named is not None:
            work.withheld += work.without(named)

    def _copy(self, buffer: bytes) -> Array:
        with self._connection.cursor().copy(query("positions_copy")) as copy:
            copy.write(buffer)
        return np.empty(0, dtype="i8")

    def _enter_hours(self, work: _Sorted) -> list[datetime]:
        """Keeps compaction out of the batch's hours until it is written; those that have chunks already.

        By lock and not by the age of an hour: 0.2 ms a batch, and no clock has to be right.
        """
        numbers = np.unique(work.columns["time"] // HOUR_MS).tolist()
        row = self._connection.execute(query("positions_enter"), [numbers]).fetchone()
        return [datetime.fromtimestamp(number * 3600, UTC) for number in (row[0] if row else [])]

    def _merge(self, buffer: bytes, chunked_hours: list[datetime]) -> Array:
        self._connection.execute(query("positions_staging"))
        with self._connection.cursor().copy(query("positions_staging_copy")) as copy:
            copy.write(buffer)
        had = self._connection.execute(query("positions_merge"), {"chunked_hours": chunked_hours}).fetchall()
        return np.fromiter((ordinal for (ordinal,) in had), dtype="i8", count=len(had))

    def _quarantine(self, batch: Batch, work: _Sorted) -> None:
        if work.refused:
            records = [record for record, _, _ in work.refused]
            self._connection.execute(
                query("quarantine_add"),
                {
                    "topic": batch.topic,
                    "partitions": batch.partitions[records].tolist(),
                    "offsets": batch.offsets[records].tolist(),
                    "reasons": [reason.value for _, reason, _ in work.refused],
                    "details": [detail for _, _, detail in work.refused],
                    "records": [batch.values[record] for record in records],
                },
            )

    def _account(self, batch: Batch, work: _Sorted, new: Array) -> Written:
        """Writes the ledger, and the count of each hour; each record counts where it came from, a repeat too."""
        time = work.columns["time"][new]
        partition = batch.partitions[work.record[new]]
        late = (time // HOUR_MS + 1) * HOUR_MS + CLOSING_MS <= self._now_ms()
        repeats = batch.partitions[np.concatenate([work.repeats, work.record[~new]])]
        refused = batch.partitions[np.array([record for record, _, _ in work.refused], dtype="i8")]
        withheld = batch.partitions[np.array(work.withheld, dtype="i8")]
        newest: dict[int, int] = {}
        oldest: dict[int, int] = {}
        for number in np.unique(partition).tolist():
            of_partition = time[partition == number]
            newest[number], oldest[number] = int(of_partition.max()), int(of_partition.min())
        numbers = list(batch.spans)
        self._connection.execute(
            query("ledger_add"),
            {
                "topic": batch.topic,
                "partitions": numbers,
                "from_offsets": [span.start for span in batch.spans.values()],
                "to_offsets": [span.stop for span in batch.spans.values()],
                "records": _count(batch.partitions, numbers),
                "rows": _count(partition, numbers),
                "repeats": _count(repeats, numbers),
                "quarantined": _count(refused, numbers),
                "withheld": _count(withheld, numbers),
                "late": _count(partition[late], numbers),
                "first_ms": [oldest.get(number) for number in numbers],
                "last_ms": [newest.get(number) for number in numbers],
            },
        )
        self._count_by_hour(batch.topic, partition, time // HOUR_MS)
        return Written(
            rows=len(time),
            repeats=len(repeats),
            quarantined=len(refused),
            late=int(late.sum()),
            withheld=len(withheld),
            newest_ms=newest,
            newest_by_source=work.newest_by_source,
            received_ms=work.columns["received_at"][new],
        )

    def _count_by_hour(self, topic: str, partition: Array, hour: Array) -> None:
        """Books the rows to their hours, so that each can be proved whole."""
        keys, rows = np.unique(hour << _PARTITION_BITS | partition, return_counts=True)
        if len(rows):
            self._connection.execute(
                query("hour_counts_add"),
                {
                    "topic": topic,
                    "partitions": (keys & (1 << _PARTITION_BITS) - 1).tolist(),
                    "hours": (keys >> _PARTITION_BITS).tolist(),
                    "rows": rows.tolist(),
                },
            )

    def _set_aside_what_has_no_leaf(self, work: _Sorted) -> None:
        """Makes the leaves that are missing; the rows of an hour that the server refuses are set aside."""
        row_hours = work.columns["time"] // HOUR_MS
        for hour in np.unique(row_hours).tolist():
            problem = None if hour in self._leaves else self._make_leaf(hour)
            if problem is None:
                self._leaves.add(hour)
                continue
            homeless = row_hours == hour
            work.refused += [(record, Reason.NO_PARTITION, problem) for record in work.without(homeless)]
            row_hours = row_hours[~homeless]

    def _make_leaf(self, number: int) -> str | None:
        """Makes the leaf of an hour before the batch's own transaction begins; the problem where it is refused."""
        try:
            hour = datetime.fromtimestamp(number * 3600, UTC)
            if ensure_hour(self._connection, hour):
                log.warning(
                    "partition_made_by_consumer", hour=hour.isoformat(), advice="is `history/partitions` running?"
                )
        except psycopg.OperationalError:
            raise  # the server is away or somebody holds a lock: no fault of the rows
        except (psycopg.DatabaseError, ValueError, OverflowError, OSError) as error:
            log.error("partition_refused", hour=number, problem=str(error).strip())  # noqa: TRY400  # no trace is needed
            return str(error).strip()
        return None


def _sort(batch: Batch) -> _Sorted:
    """The rows of a batch by (flight_id, time): the order of the primary key, so that its pages are touched once."""
    columns, undecodable = decode_columns(batch.values)
    readable = np.ones(len(batch.values), dtype=bool)
    readable[undecodable] = False
    record = np.flatnonzero(readable)
    order = np.lexsort((columns["time"], columns["flight_id"]))  # stable: the first of equals stays the first
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(columns["flight_id"][order]) != 0) | (np.diff(columns["time"][order]) != 0)
    why = "not a flight.v1.Position, or a required field is unset"
    return _Sorted(
        columns=columns.take(order[first]),
        record=record[order[first]],
        repeats=record[order[~first]],
        newest_by_source=newest_by_source(columns["source"], columns["time"]),
        refused=[(index, Reason.UNDECODABLE, why) for index in undecodable],
    )


def _count(partitions: Array, numbers: list[int]) -> list[int]:
    counts = np.bincount(partitions, minlength=max(numbers, default=0) + 1)
    return [int(counts[number]) for number in numbers]


def _hour_number(hour: datetime) -> int:
    return int(hour.timestamp()) // 3600
