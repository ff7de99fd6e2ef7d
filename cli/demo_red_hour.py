"""The demonstration's red hour: a stretch of the past that is spoiled on purpose, so that its check fails.

No feed lets through what this writes, and that is the point: the checks look for defects of our own. Ten minutes of one
flight get a squawk with digits that no transponder has. `flight hours list --red` names it, `flight hours accept` ends
it.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from flight_platform.history.sql import query
from flight_platform.settings import Settings

_PAUSE_S: Final = 1.0


def spoil_an_hour(settings: Settings, timeout_s: float = 60) -> datetime | None:
    """Spoils the newest closed hour that is raw, and returns it; waits for history to have written one.

    None where there is none in time. An hour that was judged already is judged again, or nobody would look.
    """
    with psycopg.connect(settings.postgres_url.get_secret_value(), autocommit=True) as connection:
        deadline = time.monotonic() + timeout_s
        while (hour := _spoil(connection)) is None and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        if hour is not None and _was_judged(connection, hour):
            _judge(settings, connection, hour)
        return hour


def _spoil(connection: psycopg.Connection[Any]) -> datetime | None:
    row = connection.execute(query("demo_spoil_hour")).fetchone()
    return row and row[0].astimezone(UTC)


def _was_judged(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    row = connection.execute("SELECT FROM ops.hours WHERE hour = %s AND checked_at IS NOT NULL", [hour]).fetchone()
    return row is not None


def _judge(settings: Settings, connection: psycopg.Connection[Any], hour: datetime) -> None:
    from checks.hours import judge_hour, publish_and_settle
    from flight_platform.history.progress import progress

    judge_hour(settings, connection, hour, progress(settings, connection))
    publish_and_settle(settings, connection, datetime.now(UTC))
