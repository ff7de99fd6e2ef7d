"""The leaves of `history.positions` (one an hour) and `history.chunks` (one a day): made ahead, or at once by whoever
finds that one is missing.

No reader or writer ever waits for a leaf to be made: the statement that would wait gives up after 100 ms and is
tried again. What is done to a leaf later (compaction, archive) does not belong here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import stamina

from flight_platform.history.sql import query

HOUR: Final = timedelta(hours=1)
CLOSING: Final = timedelta(minutes=10)  # how long after its end an hour still fills: what comes then is late
HOUR_MS: Final = HOUR // timedelta(milliseconds=1)
CLOSING_MS: Final = CLOSING // timedelta(milliseconds=1)
LOCK_TIMEOUT: Final = "100ms"  # what a queue behind our lock request may cost others
TRIES: Final = 50  # with the pauses between them, about ten seconds
_PAUSE_S: Final = 0.1


def leaf_name(hour: datetime) -> str:
    """Name of the leaf of an hour, without its schema."""
    return f"positions_{start_of_hour(hour):%Y%m%d%H}"


def start_of_hour(moment: datetime) -> datetime:
    """The hour in which a moment lies, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def chunk_leaf_name(moment: datetime) -> str:
    """Name of the leaf of the day in which a moment lies, without its schema."""
    return f"chunks_{moment.astimezone(UTC):%Y%m%d}"


def ensure_hour(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    """Makes the leaf of the hour that holds `hour`; False where it was there. The connection must be idle.

    Raises psycopg.errors.LockNotAvailable where somebody stands in the way for ten seconds, and other database
    errors where the server refuses such a leaf (before 1990, more than 61 days ahead).
    """
    return _make(connection, "partitions_make", start_of_hour(hour))


def ensure_chunk_day(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    """Makes the leaf of `history.chunks` of the day in which an hour lies; False where it was there."""
    return _make(connection, "chunks_make", start_of_hour(hour))


def _make(connection: psycopg.Connection[Any], statement: str, hour: datetime) -> bool:
    for attempt in stamina.retry_context(
        on=psycopg.errors.LockNotAvailable,
        attempts=TRIES,
        timeout=None,
        wait_initial=_PAUSE_S,
        wait_max=_PAUSE_S,
        wait_jitter=0,
    ):
        with attempt, connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            row = connection.execute(query(statement), [hour]).fetchone()
            return bool(row and row[0])
    raise AssertionError("unreachable")


def ensure_ahead(connection: psycopg.Connection[Any], now: datetime, days: int) -> list[datetime]:
    """Makes the leaves from the hour before `now` to `days` days ahead; returns the hours that it made.

    The hour before: at the turn of an hour reports of the last one are still on their way.
    """
    first = start_of_hour(now) - HOUR
    wanted = (first + n * HOUR for n in range(days * 24 + 2))
    present = set(list_hours(connection))
    return [hour for hour in wanted if hour not in present and ensure_hour(connection, hour)]


def list_hours(connection: psycopg.Connection[Any]) -> list[datetime]:
    """The hours that have a leaf, oldest first."""
    with connection.transaction():
        return [hour.astimezone(UTC) for (hour,) in connection.execute(query("partitions_list"))]


def days_ahead(connection: psycopg.Connection[Any], now: datetime) -> float:
    """For how many days from now each hour has its leaf, without a hole; 0 where the running hour has none."""
    present = set(list_hours(connection))
    hour = start_of_hour(now)
    if hour not in present:
        return 0.0
    while hour in present:
        hour += HOUR
    return (hour - now) / timedelta(days=1)
