"""Days leave the database once they are old and the archive provably has them.

    file read again ─► is what the books say ─► hours' locks ─► chunks are what the file has, nothing is raw ─► dropped

Rows and checksum of each hour must agree between the file, the books and the chunks; else nothing is dropped and the
answer says why. All of it is one transaction behind the reading of the file.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import stamina

from flight_platform.history.archive import ArchiveError, start_of, verify_day
from flight_platform.history.partitions import LOCK_TIMEOUT
from flight_platform.history.sql import query

RESTORED_KEPT: Final = timedelta(days=7)
_TRIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What became of a day: so many positions left the database, or `kept` says why not."""

    day: date
    rows: int = 0
    kept: str | None = None


def days_to_drop(connection: psycopg.Connection[Any], now: datetime, keep_days: int) -> list[date]:
    """The days that are older than what is kept, and are in the archive and in the database both.

    One that was restored stays for a week: somebody works with it.
    """
    parameters = {
        "before": now.astimezone(UTC).date() - timedelta(days=keep_days),
        "restored_since": now - RESTORED_KEPT,
    }
    return [day for (day,) in connection.execute(query("retention_due"), parameters)]


def drop_day(connection: psycopg.Connection[Any], folder: Path, day: date) -> Dropped:
    """Drops a day's chunks where the archive has it all; safe to repeat. The connection must be idle.

    Raises psycopg.errors.LockNotAvailable where somebody reads the day for long: try again later.
    """
    try:
        verify_day(connection, folder, day)
    except ArchiveError as error:
        return Dropped(day=day, kept=str(error))
    for attempt in stamina.retry_context(
        on=psycopg.errors.LockNotAvailable, attempts=_TRIES, timeout=None, wait_initial=0.1, wait_max=0.1, wait_jitter=0
    ):
        with attempt, connection.transaction():
            return _drop(connection, day)
    raise AssertionError("unreachable")


def _drop(connection: psycopg.Connection[Any], day: date) -> Dropped:
    start = {"start": start_of(day)}
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
    connection.execute(query("retention_hold"), start)
    if connection.execute(query("archive_raw_hours"), start).fetchone() is not None:
        return Dropped(day=day, kept="it has positions that are not compacted")
    rows = 0
    for hour, chunk_rows, *_, agrees in connection.execute(query("archive_hours"), start).fetchall():
        rows += chunk_rows
        if chunk_rows and not agrees:
            return Dropped(day=day, kept=f"the archive does not have {hour.astimezone(UTC):%H:00} as it is now")
    connection.execute(query("retention_drop"), start)
    connection.execute(query("retention_record_hours"), start)
    connection.execute(query("retention_record_day"), {"day": day})
    return Dropped(day=day, rows=rows)
