"""Conditions: what is not a hop that stands still, and somebody has to see to all the same.

    partitions run out · a disk fills · credentials are refused · credits are spent · reports were lost
    · a live server is away          (what is refused or repeated: shares.py; what runs out: credentials.py)

Each function looks at one and returns its alerts: none where all is well. Who looks and how often, and who is told, is
the matter of `assets/alerts.py`. Severities and limits stand here, each with its reason.
"""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from flight_platform.history.partitions import list_hours, start_of_hour
from flight_platform.history.sql import query
from flight_platform.names import Stage
from flight_platform.watch.alerts import Alert
from flight_platform.watch.freshness import Hop

AHEAD_DAYS: Final = 3  # a weekend in which nobody looks
FILLING: Final = (0.10, 20e9)  # free share and bytes: a large disk is not full at 10 %
FULL: Final = (0.03, 2e9)
_HOUR: Final = timedelta(hours=1)


def partitions_ahead(connection: psycopg.Connection[Any], now: datetime, *, days_made: int) -> list[Alert]:
    """Whether there are hours for the next three days; fewer where the settings ask for fewer."""
    limit = timedelta(days=min(AHEAD_DAYS, days_made - 1))
    leaves, hour = set(list_hours(connection)), start_of_hour(now)
    while hour in leaves:
        hour += _HOUR
    left = hour - now
    if left >= limit:
        return []
    return [
        Alert(
            key="partitions:ahead",
            hop="history",
            source="",
            severity="warning",
            summary=f"partitions of history are made for {max(left, timedelta(0)) / _HOUR:.0f} hours ahead only",
            since=now,
            last_good=hour - _HOUR,
            cause="the schedule `partitions_ahead` does not run, or its runs fail",
            to_do="Look at the runs of job `make_partitions` in Dagster; `flight partitions ahead` makes them at once.",
        )
    ]


def disk(folder: Path, now: datetime) -> list[Alert]:
    """Whether the disk of the platform's data fills up."""
    usage = shutil.disk_usage(folder if folder.exists() else Path.cwd())
    state = disk_state(usage.free, usage.total)
    if state is None:
        return []
    return [
        Alert(
            key=f"disk:{state}",
            hop="disk",
            source="",
            severity="critical" if state == "full" else "warning",
            summary=f"the disk of {folder} has {usage.free / 1e9:.1f} GB left of {usage.total / 1e9:.0f} GB",
            since=now,
            last_good=None,
            cause="more is kept than there is room for: history, Kafka's log, a feed's spool",
            to_do="See what grows (`du`), shorten retention or give it a larger disk.",
        )
    ]


def disk_state(free: int, total: int) -> str | None:
    """`full`, `filling` or None; both the share and the bytes have to be small."""
    for state, (share, size) in (("full", FULL), ("filling", FILLING)):
        if free < share * total and free < size:
            return state
    return None


_CONCERNS: Final = {
    "credentials": ("critical", "Get new ones from the source's site, set them, restart the feed (docs/sources.md)."),
    "credits": ("warning", "Wait for new ones, or ask for a smaller box (--bbox) or less often (--interval)."),
}


def concerns(hops: Iterable[Hop], kind: str, now: datetime) -> list[Alert]:
    """What feeds say of their sources: refused credentials, spent credits."""
    severity, to_do = _CONCERNS[kind]
    return [
        Alert(
            key=f"{kind}:{hop.source}",
            hop=str(Stage.SOURCE),
            source=hop.source,
            severity=severity,
            summary=f"source {hop.source}: {hop.concerns[kind]}",
            since=now,
            last_good=None if hop.source_clock is None else datetime.fromtimestamp(hop.source_clock, UTC),
            cause=hop.concerns[kind],
            to_do=to_do,
        )
        for hop in hops
        if hop.stage is Stage.SOURCE and hop.alive and kind in hop.concerns
    ]


def losses(connection: psycopg.Connection[Any]) -> list[Alert]:
    """Reports that the platform itself has lost: for an hour, or as long as it goes on. The gap stays in `ops.gaps`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("gaps_fresh"), {"fresh": _HOUR}).fetchall()
    return [
        Alert(
            key=f"loss:{row['hop']}:{row['source']}".rstrip(":"),
            hop=row["hop"],
            source=row["source"],
            severity="critical",
            summary=f"reports from {row['from_time']:%Y-%m-%d %H:%M:%S} UTC on are lost: {row['reason']}",
            since=row["opened_at"],
            last_good=row["from_time"],
            cause=row["reason"],
            to_do="See to what was away for so long; `flight backfill` fills the gap where somebody has a recording.",
        )
        for row in rows
    ]


def stores(hops: Iterable[Hop], now: datetime) -> list[Alert]:
    """Live servers that do not answer while others do: nothing stands still, but a part of the sky may be missing."""
    return [
        Alert(
            key="store:live",
            hop=str(Stage.LIVE),
            source="",
            severity="warning",
            summary=hop.note,
            since=now,
            last_good=None if hop.watermark is None else datetime.fromtimestamp(hop.watermark, UTC),
            cause="the server does not answer",
            to_do="Start it again: live fills it from Kafka within seconds.",
        )
        for hop in hops
        if hop.stage is Stage.LIVE and hop.alive and hop.note.startswith("live servers away")
    ]
