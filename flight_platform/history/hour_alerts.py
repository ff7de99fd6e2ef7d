"""Red hours and blocked compaction as incidents: one open incident each, until there is no reason for it any more.

Missing hours in a row are one trouble and one incident, named for the first of them. What makes an hour red does not
belong here (`checks/`), nor how people are told (`alerts.py`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from flight_platform.history.partitions import HOUR
from flight_platform.history.sql import query
from flight_platform.history.verdicts import Presence, RedHour, red_hours
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert, Changes, receivers, settle, settling

HOUR_KIND: Final = "hour"  # keys of incidents: hour:2026-01-31T22
COMPACTION_KIND: Final = "compaction"
_TO_DO: Final = (
    "Open the hour in Dagster (asset history/hours): its checks name the failure, with sample rows and Data Docs. Mend "
    "it and recheck (`flight hours recheck`), or accept it with a reason (`flight hours accept`)."
)


def settle_hours(
    connection: psycopg.Connection[Any], settings: Settings, now: datetime, *, oldest_raw: timedelta
) -> tuple[Changes, Changes]:
    """Opens and closes the incidents of red hours, and of hours that are still raw `oldest_raw` after their end."""
    told = receivers(settings)
    with settling(connection):
        hours = settle(connection, hour_alerts(red_hours(connection)), told, kind=HOUR_KIND)
        waiting = connection.execute(query("verdicts_uncompacted"), {"ended_before": now - oldest_raw}).fetchall()
        blocked = compaction_alerts(waiting, oldest_raw)
        return hours, settle(connection, blocked, told, kind=COMPACTION_KIND)


def hour_alerts(red: Sequence[RedHour]) -> list[Alert]:
    """An alert for each red hour; for missing ones in a row, one."""
    return [_about(stretch) for stretch in _stretches(red)]


def _stretches(red: Sequence[RedHour]) -> list[list[RedHour]]:
    found: list[list[RedHour]] = []
    for each in red:
        before = found[-1][-1] if found else None
        in_a_row = before is not None and each.hour - before.hour == HOUR
        if before is not None and in_a_row and {each.presence, before.presence} == {Presence.MISSING}:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _about(stretch: Sequence[RedHour]) -> Alert:
    first, last = stretch[0], stretch[-1]
    name = f"{first.hour:%Y-%m-%d %H:00} UTC"
    if first.presence is Presence.MISSING:
        what = (
            f"{name} is" if first is last else f"{len(stretch)} hours from {name} to {last.hour:%Y-%m-%d %H:00} UTC are"
        )
        summary = f"{what} missing: nobody is known to have listened"
        cause = "the platform or all of its sources were off"
    else:
        summary = f"the hour {name} is not as expected: {', '.join(first.names)}"
        cause = "; ".join(f"{failure['name']}: {failure.get('observed', '')}" for failure in first.failures)
    return Alert(
        key=f"{HOUR_KIND}:{first.hour:%Y-%m-%dT%H}",
        hop=str(Stage.HISTORY),
        source="",
        severity="warning",
        summary=summary,
        since=min(each.since for each in stretch),
        last_good=first.hour,
        cause=cause,
        to_do=_TO_DO,
        code=str(first.presence),
    )


def compaction_alerts(waiting: Sequence[tuple[datetime, bool]], oldest_raw: timedelta) -> list[Alert]:
    """One alert where hours are raw for too long, with what holds the oldest of them back."""
    if not waiting:
        return []
    oldest, may_compact = waiting[0]
    red = sum(not allowed for _, allowed in waiting)
    hours = oldest_raw.total_seconds() / 3600
    reason = "compaction does not run" if may_compact else "it is red, and nobody has accepted it"
    return [
        Alert(
            key=f"{COMPACTION_KIND}:blocked",
            hop=str(Stage.HISTORY),
            source="",
            severity="warning",
            summary=f"{len(waiting)} hours are raw more than {hours:g} h after their end; {red} of them are red",
            since=oldest + HOUR + oldest_raw,
            last_good=oldest,
            cause=f"the oldest is {oldest:%Y-%m-%d %H:00} UTC: {reason}",
            to_do="Mend or accept red hours (`flight hours list`); for the others see asset history/chunks in Dagster.",
        )
    ]
