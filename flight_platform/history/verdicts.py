"""The verdict on each closed hour: recorded, accepted by an operator, and asked for by compaction.

    judged ──► passed ──────────────────────────────► may be compacted
          └──► red: one open incident ──► mended: judged again, passed ──┘
                                     └──► accepted by an operator, with a reason ──► may be compacted

A verdict is about one hour and stands until that hour is judged again, so no newer hour hides it. An acceptance is of
the failures that were known: where another one shows up, it lapses. What is expected of an hour does not belong here
(`checks/`), nor who is told (`hour_alerts.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import dict_row

from flight_platform.errors import FlightError
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.sql import query


class Presence(StrEnum):
    """What it means that an hour has rows, or none."""

    FILLED = "filled"
    QUIET = "quiet"  # none, while somebody listened; as usual, or nothing is known of what is usual
    EMPTY = "empty"  # none, while somebody listened, though usually there are
    MISSING = "missing"  # none, and nobody is known to have listened


class NotRedError(FlightError):
    """An hour that is not red cannot be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedHour:
    """An hour that is not as expected and that nobody has accepted."""

    hour: datetime
    since: datetime
    rows: int
    presence: Presence
    failures: tuple[dict[str, Any], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What is not as expected."""
        return tuple(str(failure["name"]) for failure in self.failures)


def record_verdict(
    connection: psycopg.Connection[Any],
    hour: datetime,
    *,
    passed: bool,
    rows: int,
    failures: Sequence[dict[str, Any]],
    presence: Presence = Presence.FILLED,
    reported: bool = False,
) -> None:
    """Writes down what was found; each failure has a `name`. An acceptance that does not cover them all lapses.

    `reported` says that the caller itself shows the verdict in Dagster.
    """
    if passed != (not failures):
        raise ValueError("an hour passes where it has no failure, and only there")
    parameters: dict[str, Any] = {"hour": start_of_hour(hour), "passed": passed, "rows": rows, "presence": presence}
    names = [str(failure["name"]) for failure in failures]
    with connection.transaction():
        connection.execute(query("verdicts_lapse"), {"hour": parameters["hour"], "failures": names})
        keeps = _first(connection, "verdicts_accepted", {"hour": parameters["hour"]})
        judged_at = _first(
            connection, "verdicts_add", parameters | {"failures": json.dumps(list(failures)), "reported": reported}
        )
        connection.execute(query("verdicts_hour"), parameters | {"judged_at": judged_at, "keeps": keeps})


def accept_hour(connection: psycopg.Connection[Any], hour: datetime, *, by: str, reason: str) -> None:
    """Accepts a red hour as it is; raises NotRedError where it is not red, FlightError where a reason is missing."""
    if not by.strip() or not reason.strip():
        raise FlightError(
            "an hour is accepted by somebody and for a reason: both are recorded, and neither may be empty"
        )
    parameters = {"hour": start_of_hour(hour), "by": by.strip(), "reason": reason.strip()}
    with connection.transaction():
        accepted = connection.execute(query("verdicts_accept"), parameters).fetchone()
    if accepted is None:
        name = f"{start_of_hour(hour):%Y-%m-%d %H:00} UTC"
        raise NotRedError(f"{name} is not red: it passed, or was never checked. See `flight hours list`")


def may_compact(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    """Whether the hour was found as expected or accepted; what was never judged may not."""
    return bool(_first(connection, "verdicts_may_compact", {"hour": start_of_hour(hour)}))


def red_hours(connection: psycopg.Connection[Any]) -> list[RedHour]:
    """All hours that are red now, the oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("verdicts_red")).fetchall()
    return [
        RedHour(
            hour=row["hour"].astimezone(UTC),
            since=(row["since"] or row["checked_at"]).astimezone(UTC),
            rows=row["rows"] or 0,
            presence=Presence(row["presence"]),
            failures=tuple(row["failures"]),
        )
        for row in rows
    ]


def list_verdicts(connection: psycopg.Connection[Any], from_time: datetime, to_time: datetime) -> list[dict[str, Any]]:
    """The judged hours of a stretch of time, `to_time` left out, with how far each has come."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("verdicts_list"), {"from_time": from_time, "to_time": to_time}).fetchall()


def take_unreported(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The newest verdict of each hour where Dagster does not show it yet; from now on it counts as shown."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("verdicts_unreported")).fetchall()


def _first(connection: psycopg.Connection[Any], name: str, parameters: dict[str, Any]) -> Any:
    row = connection.execute(query(name), parameters).fetchone()
    return row and row[0]
