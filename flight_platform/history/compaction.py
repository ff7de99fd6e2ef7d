"""From raw to chunks: one transaction an hour, in which no reader sees a gap or a double.

    snapshot ─► raw ─┬─► chunks ─► read back, compared ─► hour's lock ─► raw deleted ─► ops.hours ─► commit
    chunks of the ───┘   (portion by portion of flights)   (writers wait)
    flights concerned, where something came late

Readers see one snapshot: the raw positions or their chunks. A writer that comes in between writes raw as ever: what is
new is not in our snapshot and stays raw until the next time, what is a repeat meets the raw row. From the lock to the
commit (a second a million rows) writers of this hour wait; then they find the chunks and look there for repeats
(`writer.py`). Killed at any point, nothing has happened. The emptied leaf is shrunk and later dropped in statements of
their own, which give up rather than make anybody wait.

How chunks look is `chunks.py`'s; when and what for is `assets/compaction.py`'s.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
import psycopg
import stamina
import structlog
from psycopg import sql

from flight_platform.codec import Columns
from flight_platform.errors import FlightError
from flight_platform.history.checksums import added, checksum
from flight_platform.history.chunk_copy import chunk_buffer
from flight_platform.history.chunks import encode
from flight_platform.history.partitions import (
    CLOSING,
    HOUR,
    LOCK_TIMEOUT,
    chunk_leaf_name,
    ensure_chunk_day,
    leaf_name,
    start_of_hour,
)
from flight_platform.history.reading import ALL_FLIGHTS, alike, in_order, joined, read_chunks, read_raw
from flight_platform.history.sql import query
from flight_platform.history.verdicts import may_compact

log = structlog.get_logger()

MERGE_EVERY: Final = timedelta(hours=1)  # late rows trickle in: each merge writes the chunks of their flights anew
LEAF_KEPT: Final = timedelta(hours=48)  # then an emptied leaf is dropped: it costs every plan that cannot prune it
PORTION_ROWS: Final = 300_000  # worked on at once: about 200 MB; the more, the better their chunks fill pages
PATIENCE_S: Final = 3.0  # a batch takes a tenth of a second, and an analyst's query may take long
_LOOK_EVERY_S: Final = 0.05
_COMPACTING: Final = 0x636F6D70  # first key of the advisory lock of whoever compacts an hour ("comp" in ASCII)
_TRIES: Final = 3


class NotComparableError(FlightError):
    """What was read back from the chunks is not what went into them; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What became of an hour: `moved` raw positions are in chunks now, or `skipped` says why not."""

    hour: datetime
    moved: int = 0
    rows: int = 0  # in its chunks now
    bytes_before: int = 0
    bytes_after: int = 0
    skipped: str | None = None


def due_hours(connection: psycopg.Connection[Any], now: datetime, *, since: datetime | None = None) -> list[datetime]:
    """The hours that wait for compaction, or for what came late to be merged; the oldest first."""
    parameters = {
        "from_hour": since or datetime(1970, 1, 1, tzinfo=UTC),
        "to_hour": start_of_hour(now - CLOSING),
        "settled": now - MERGE_EVERY,
    }
    with connection.transaction():
        candidates = [hour for (hour,) in connection.execute(query("compaction_due"), parameters)]
        return [hour.astimezone(UTC) for (hour,) in connection.execute(query("hours_with_raw"), {"hours": candidates})]


def compact_hours(
    connection: psycopg.Connection[Any],
    hours: Sequence[datetime],
    now: datetime,
    told: Callable[[Compaction], None] = lambda _: None,
) -> list[Compaction]:
    """Compacts these hours one by one; `told` hears of each as it is done."""
    done: list[Compaction] = []
    for hour in hours:
        done.append(compact_hour(connection, hour, now))
        told(done[-1])
    return done


def compact_hour(connection: psycopg.Connection[Any], hour: datetime, now: datetime) -> Compaction:
    """Moves what is raw of an hour into chunks; safe to repeat. The connection must be idle.

    Skips an hour that is not closed, not judged well (`verdicts.py`), or in somebody else's hands.
    """
    hour = start_of_hour(hour)
    if hour + HOUR + CLOSING > now:
        return Compaction(hour=hour, skipped="it is not closed yet")
    if not may_compact(connection, hour):
        return Compaction(hour=hour, skipped="it has not passed its checks, and nobody has accepted it")
    return _moved(connection, hour, None, complete=False)


def put_back(connection: psycopg.Connection[Any], hour: datetime, positions: Columns, *, complete: bool) -> Compaction:
    """Brings positions of an hour from the archive into its chunks, save those that are there already.

    Takes along what is raw of the hour, since a repeat may be among it. Only with the last of them, when it is
    `complete`, does the hour count as being in the database again.
    """
    return _moved(connection, start_of_hour(hour), positions, complete=complete)


def _moved(connection: psycopg.Connection[Any], hour: datetime, extra: Columns | None, *, complete: bool) -> Compaction:
    before = _bytes(connection, hour)
    with _alone(connection, hour) as mine:
        if not mine:
            return Compaction(hour=hour, skipped="somebody else compacts it at this moment")
        ensure_chunk_day(connection, hour)
        for attempt in stamina.retry_context(on=psycopg.errors.SerializationFailure, attempts=_TRIES):
            with attempt, connection.transaction():  # a verdict on the hour may come at the same time
                moved, rows = _swap(connection, hour, extra, complete)
        if moved:
            _shrink(connection, hour)
        if moved or extra is not None:
            _analyze(connection, hour)
    return Compaction(hour=hour, moved=moved, rows=rows, bytes_before=before, bytes_after=_bytes(connection, hour))


def _swap(
    connection: psycopg.Connection[Any], hour: datetime, extra: Columns | None, complete: bool
) -> tuple[int, int]:
    """The transaction; how many raw rows it moved, and how many the hour's chunks have then."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    begun = connection.execute(query("compaction_begin"), {"hour": hour}).fetchone()
    rows, sums = map(int, begun) if begun else (0, 0)
    had, read = rows, 0
    for raw, new in _portions(connection, hour, extra):
        read += raw
        grown, changed = _rewrite(connection, hour, new)
        rows += grown
        sums = added(sums, changed)
    if had and not read and extra is None:
        return 0, had  # compacted already, and nothing came late
    connection.execute(query("compaction_hold"), {"hour": hour})
    moved = connection.execute(query("compaction_clear_raw"), {"hour": hour}).rowcount
    if moved != read:
        raise NotComparableError(f"{hour:%Y-%m-%d %H:00}: {moved} raw positions where {read} were read")
    parameters = {"hour": hour, "rows": rows, "checksum": sums, "restored": complete}
    connection.execute(query("compaction_record"), parameters)
    return moved, rows


def _portions(
    connection: psycopg.Connection[Any], hour: datetime, extra: Columns | None
) -> Iterator[tuple[int, Columns]]:
    """What shall be in chunks, in order, some PORTION_ROWS positions of whole flights at a time; how many were raw."""
    first, last = ALL_FLIGHTS
    while True:
        raw, end = read_raw(connection, hour, (first, last), most=PORTION_ROWS), last
        if len(raw) == PORTION_ROWS:  # the last flight may go on
            flight = raw["flight_id"]
            whole = int(np.searchsorted(flight, flight[-1]))
            end = int(flight[whole - 1] if whole else flight[0])
            raw = raw.take(slice(whole)) if whole else read_raw(connection, hour, (end, end))
        if extra is None:
            new = raw
        else:
            among = (extra["flight_id"] >= first) & (extra["flight_id"] <= end)
            new = in_order(joined([raw, extra.take(among)]))
        if len(new):
            yield len(raw), new
        if end == last:
            return
        first = end + 1


def _rewrite(connection: psycopg.Connection[Any], hour: datetime, new: Columns) -> tuple[int, int]:
    """Writes the chunks of these flights anew, with these positions; what that adds in rows and in checksum."""
    concerned = np.unique(new["flight_id"])
    portion = int(concerned[0]), int(concerned[-1])
    old = _of(concerned, read_chunks(connection, hour, portion))
    whole = in_order(joined([old, new])) if len(old) else new
    if len(old):
        parameters = {"hour": hour, "flights": concerned.tolist()}
        connection.execute(query("compaction_clear_chunks"), parameters)
    with connection.cursor().copy(query("chunks_copy")) as copy:
        copy.write(chunk_buffer(encode(whole)))
    if not alike(whole, _of(concerned, read_chunks(connection, hour, portion))):
        raise NotComparableError(
            f"{hour:%Y-%m-%d %H:00}: chunks of flights {portion[0]} to {portion[1]} do not read back as they were "
            "written; nothing was changed. This is a defect: keep the raw leaf and report it"
        )
    return len(whole) - len(old), added(checksum(whole), -checksum(old))


def _of(flights: npt.NDArray[np.int64], columns: Columns) -> Columns:
    """The positions of these flights, which are in order."""
    if not len(columns):
        return columns
    place = np.searchsorted(flights, columns["flight_id"])
    found = flights[np.minimum(place, len(flights) - 1)] == columns["flight_id"]
    return columns if found.all() else columns.take(found)


@contextmanager
def _alone(connection: psycopg.Connection[Any], hour: datetime) -> Iterator[bool]:
    """Whether nobody else compacts the hour while this lasts; freed with the connection, however it ends."""
    keys = [_COMPACTING, int(hour.timestamp()) // 3600]
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", keys).fetchone()
    mine = bool(row and row[0])
    try:
        yield mine
    finally:
        if mine and not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", keys)


def _shrink(connection: psycopg.Connection[Any], hour: datetime) -> None:
    """Gives the space of an emptied leaf back, unless that would make somebody wait.

    VACUUM FULL and not TRUNCATE: late rows may be in it. While an older snapshot needs what was deleted, it would copy
    all of that, and give nothing back: so it waits for the batches and queries of this moment to end.
    """
    if _still_seen(connection):
        log.info("leaf_not_shrunk", leaf=leaf_name(hour), problem="an older transaction may read it; autovacuum will")
        return
    _without_waiting(connection, "VACUUM (FULL, ANALYZE) {}", leaf_name(hour))


def _still_seen(connection: psycopg.Connection[Any]) -> bool:
    """Whether after PATIENCE_S somebody still may see what is deleted now."""
    (before,) = connection.execute(query("compaction_committed")).fetchone() or (None,)
    until = time.monotonic() + PATIENCE_S
    while True:
        row = connection.execute(query("compaction_seen"), {"before": before}).fetchone()
        if not row or not row[0]:
            return False
        if time.monotonic() > until:
            return True
        time.sleep(_LOOK_EVERY_S)


def _analyze(connection: psycopg.Connection[Any], hour: datetime) -> None:
    """Tells the planner of the new chunks, which else would look for one flight among all of its hours.

    Autovacuum does the same some time later, and takes all of the columns for it.
    """
    _without_waiting(connection, "ANALYZE {} (flight_id, hour)", chunk_leaf_name(hour))


def _without_waiting(connection: psycopg.Connection[Any], command: LiteralString, name: str) -> None:
    """Does that to a leaf; gives up, and says so, where somebody is in the way. What is not there needs nothing."""
    statement = sql.SQL(command).format(sql.Identifier("history", name))
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
    try:
        for attempt in stamina.retry_context(
            on=psycopg.errors.LockNotAvailable, attempts=_TRIES, timeout=None, wait_initial=0.2, wait_jitter=0
        ):
            with attempt:
                connection.execute(statement)
    except psycopg.errors.UndefinedTable:
        pass
    except psycopg.errors.LockNotAvailable as error:
        log.info("leaf_not_tended", leaf=name, statement=command, problem=str(error).strip())
    finally:
        if not connection.broken:
            connection.execute("RESET lock_timeout")


def retire_leaves(connection: psycopg.Connection[Any], now: datetime) -> list[datetime]:
    """Drops the emptied raw leaves of hours that ended two days ago; one that somebody reads is left for next time."""
    with connection.transaction():
        old = [h for (h,) in connection.execute(query("leaves_to_retire"), {"before": now - LEAF_KEPT - HOUR})]
    return [hour.astimezone(UTC) for hour in old if _retire(connection, hour)]


def _retire(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            row = connection.execute(query("leaves_retire"), {"hour": hour}).fetchone()
            return bool(row and row[0])
    except psycopg.errors.LockNotAvailable:
        log.info("leaf_not_dropped", hour=hour.isoformat(), problem="somebody reads or writes at this moment")
        return False


def _bytes(connection: psycopg.Connection[Any], hour: datetime) -> int:
    """What the hour takes on disk."""
    names = {"leaf": f"history.{leaf_name(hour)}", "chunk_leaf": f"history.{chunk_leaf_name(hour)}", "hour": hour}
    row = connection.execute(query("compaction_sizes"), names).fetchone()
    return int(row[0]) + int(row[1]) if row else 0
