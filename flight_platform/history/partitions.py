"""The leaves of `history.positions`: one an hour, made ahead, or at once by whoever finds that one is missing.

No reader or writer ever waits for a leaf to be made: the statement that would wait gives up after 100 ms and is
tried again. What is done to a leaf later (compaction, archive) does not belong here.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import stamina

from flight_platform.history.sql import query

HOUR: Final = timedelta(hours=1)
LOCK_TIMEOUT: Final = "100ms"  # what a queue behind our lock request may cost others
TRIES: Final = 50  # with the pauses between them, about ten seconds
_PAUSE_S: Final = 0.1


def leaf_name(hour: datetime) -> str:
    """Name of the leaf of an hour, without its schema."""
    return f"positions_{start_of_hour(hour):%Y%m%d%H}"


def start_of_hour(moment: datetime) -> datetime:
    """The hour in which a moment lies, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def ensure_hour(connection: psycopg.Connection, hour: datetime) -> bool:
    """Makes the leaf of the hour that holds `hour`; False where it was there. The connection must be idle.

    Raises psycopg.errors.LockNotAvailable where somebody stands in the way for ten seconds, and other database
    errors where the server refuses such a leaf (before 1990, more than 61 days ahead).
    """
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
            row = connection.execute(query("partitions_make"), [start_of_hour(hour)]).fetchone()
            return bool(row and row[0])
    raise AssertionError("unreachable")


def ensure_ahead(connection: psycopg.Connection, now: datetime, days: int) -> list[datetime]:
    """Makes the leaves from the hour before `now` to `days` days ahead; returns the hours that it made.

    The hour before: at the turn of an hour reports of the last one are still on their way.
    """
    first = start_of_hour(now) - HOUR
    wanted = (first + n * HOUR for n in range(days * 24 + 2))
    present = set(list_hours(connection))
    return [hour for hour in wanted if hour not in present and ensure_hour(connection, hour)]


def list_hours(connection: psycopg.Connection) -> list[datetime]:
    """The hours that have a leaf, oldest first."""
    with connection.transaction():
        return [hour.astimezone(UTC) for (hour,) in connection.execute(query("partitions_list"))]
