"""Alerts: from the first sign to the all-clear, one incident each.

    trouble ──► ops.incidents (durable, at most one open a key) ──► log line
                      └──► ops.outbox: a row for each receiver, in the same transaction ──► outbox.py tells them

What is wrong is not decided here (`freshness.py` and `conditions.py` do, and the checks of history), nor how people are
told (`outbox.py`). A kind of trouble is the first part of its key: whoever finds trouble of a kind settles all of it at
once, and what is no longer named is over.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import dict_row

from flight_platform.history.sql import query
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.freshness import Cause, Stall

log = structlog.get_logger()

STALL: Final = "stall"  # the kind of incidents about hops: stall:track, stall:source:paris
FLAPPING: Final = timedelta(minutes=5)  # what comes back so soon is the same trouble, over after as long a calm
_LOCK: Final = 0x616C65727473  # advisory lock of whoever settles ("alerts" in ASCII)

_TO_DO: Final[dict[Stage, str]] = {
    Stage.SOURCE: "See whether the source answers (`flight status`, the feed's log); the platform itself is in order.",
    Stage.FEED: "Look at the feed's log and at Kafka; start the feed again (`flight up`). A recording can be replayed.",
    Stage.TRACK: "Look at the log of track; start it again (`flight up`). Nothing is lost: Kafka holds the reports.",
    Stage.LIVE: "Look at the log of live and at Tile38; start it again (`flight up`). The map fills from Kafka.",
    Stage.HISTORY: "Look at the log of history; start it again (`flight up`). It goes on where it stopped.",
}
_TO_DO_OF_A_PARTITION: Final = (
    "Ask Kafka who has the partition, who leads it and which transaction hangs (the runbook has it); nothing is lost."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What people are told: what, since when, last good value, likely cause, what to do and where that is explained.

    `key` begins with the kind (`stall:track`). `code` is the cause as one word, by which Alertmanager groups and
    inhibits; `runbook` a page of docs/runbooks, that of the kind where it is not given.
    """

    key: str
    hop: str
    source: str
    severity: str  # info, warning or critical
    summary: str
    since: datetime
    last_good: datetime | None
    cause: str
    to_do: str
    code: str = ""
    runbook: str = ""

    @property
    def kind(self) -> str:
        """What sort of trouble it is."""
        return kind_of(self.key)

    @classmethod
    def of(cls, stall: Stall) -> "Alert":
        """The alert about a hop that has stopped."""
        what, to_do = f"{stall.stage} {stall.source}".rstrip() + " has stopped", _TO_DO[stall.stage]
        if stall.cause is Cause.SOURCE_BEHIND:
            what = f"{stall.stage} stands behind with source {stall.source}"
        elif stall.cause is Cause.PARTITION_STUCK:
            what, to_do = f"{stall.stage} does not get on in a part", _TO_DO_OF_A_PARTITION
        return cls(
            key=f"{STALL}:{stall.name}",
            hop=str(stall.stage),
            source=stall.source,
            severity="critical",
            summary=f"{what}: {stall.detail}",
            since=stall.since,
            last_good=stall.last_good,
            cause=stall.detail,
            to_do=to_do,
            code=str(stall.cause),
            runbook=f"{STALL}-{stall.stage}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was seen while nobody could write it down: an alert, or that there is no reason for it any more."""

    at: datetime
    key: str
    alert: Alert | None  # None: it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one round has opened and closed, by key, and what is open after it."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    open: tuple[str, ...]


def kind_of(key: str) -> str:
    """The kind of an incident."""
    return key.partition(":")[0]


def receivers(settings: Settings) -> tuple[str, ...]:
    """Who is told: Alertmanager where there is one, and else every address of FLIGHT_ALERT_URLS."""
    return (settings.alertmanager_url,) if settings.alertmanager_url else settings.alert_urls


def digest(address: str) -> str:
    """A receiver's name where it is written down: addresses hold passwords."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def open_stalls(connection: psycopg.Connection[Any]) -> list[str]:
    """The hops that an open incident names, as `freshness.look` wants them."""
    prefix = f"{STALL}:"
    return [row["key"].removeprefix(prefix) for row in open_incidents(connection) if row["key"].startswith(prefix)]


def open_incidents(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What is wrong now, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("incidents_current")).fetchall()


@contextmanager
def settling(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """One at a time, in a transaction: what is read within is still so when it is settled.

    Who reads before would open again what somebody else has mended and closed meanwhile.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def settle(
    connection: psycopg.Connection[Any], alerts: Sequence[Alert], told: Sequence[str], *, kind: str = STALL
) -> Changes:
    """Opens an incident for each alert that has none, and closes those of this kind that no alert names any more.

    `told` are the addresses of `receivers(settings)`. Commits. What comes back within FLAPPING of its all-clear is the
    same incident again, and is over only when it was calm for as long: so what flaps is one incident.
    """
    with settling(connection), connection.cursor(row_factory=dict_row) as cursor:  # of two who see the same, one opens
        current = cursor.execute(query("incidents_current")).fetchall()
        present, wanted = {row["key"] for row in current}, {alert.key for alert in alerts}
        opened = [a for a in alerts if a.key not in present and _open(cursor, a, told)]
        cursor.execute(query("incidents_seen"), {"keys": list(wanted)})
        over = [row for row in current if kind_of(row["key"]) == kind and row["key"] not in wanted and _is_calm(row)]
        closed = [row | end for row in over if (end := _close(cursor, row, told))]
    for alert in opened:
        say_opened(alert)
    for row in closed:
        _say_closed(row)
    made, gone = tuple(alert.key for alert in opened), tuple(row["key"] for row in closed)
    return Changes(opened=made, closed=gone, open=tuple(sorted(present.union(made) - set(gone))))


def catch_up(connection: psycopg.Connection[Any], events: Sequence[Event], told: Sequence[str]) -> None:
    """Writes down what was seen meanwhile, in its order and with its times; what is known of it already stays. Commits.

    `told` as of `settle`. What has flapped stays open, as there, until whoever settles has seen it calm for long.
    """
    with settling(connection), connection.cursor(row_factory=dict_row) as cursor:
        for event in events:
            if event.alert is None:
                current = cursor.execute(query("incidents_current")).fetchall()
                for row in current:
                    if row["key"] == event.key and row["opened_at"] <= event.at and _is_calm(row):
                        _close(cursor, row, told, event.at)
            elif cursor.execute(query("incidents_known"), {"key": event.key, "at": event.at}).fetchone() is None:
                _open(cursor, event.alert, told, event.at)


def say_opened(alert: Alert) -> None:
    """In the log."""
    log.warning(
        "alert_opened",
        key=alert.key,
        hop=alert.hop,
        source=alert.source,
        summary=alert.summary,
        since=alert.since.isoformat(),
        last_good=alert.last_good and alert.last_good.isoformat(),
        cause=alert.code or alert.cause,
        to_do=alert.to_do,
    )


def _say_closed(row: dict[str, Any]) -> None:
    lasted_s = round((row["closed_at"] - row["since"]).total_seconds(), 1)
    log.info("alert_closed", key=row["key"], hop=row["hop"], source=row["source"], lasted_s=lasted_s)


def _is_calm(row: dict[str, Any]) -> bool:
    return not row["reopened"] or row["calm_s"] >= FLAPPING.total_seconds()


def _open(cursor: psycopg.Cursor[Any], alert: Alert, told: Sequence[str], at: datetime | None = None) -> bool:
    arguments = {
        "at": at,
        "key": alert.key,
        "hop": alert.hop,
        "source": alert.source,
        "severity": alert.severity,
        "summary": alert.summary,
        "since": alert.since,
        "last_good": alert.last_good,
        "code": alert.code or alert.kind,
        "runbook": alert.runbook or alert.kind,
        "detail": json.dumps({"cause": alert.cause, "to_do": alert.to_do}),
        "flapping": FLAPPING,
    }
    made = cursor.execute(query("incidents_reopen"), arguments).fetchone()
    made = made or cursor.execute(query("incidents_open"), arguments).fetchone()
    if made is None:
        return False
    _post(cursor, made["incident_id"], "opened", made["event_at"], told)
    return True


def _close(
    cursor: psycopg.Cursor[Any], row: dict[str, Any], told: Sequence[str], at: datetime | None = None
) -> dict[str, Any] | None:
    end: dict[str, Any] | None = cursor.execute(query("incidents_close"), row | {"at": at}).fetchone()
    if end is not None:
        _post(cursor, row["incident_id"], "closed", end["closed_at"], told)
    return end


def _post(cursor: psycopg.Cursor[Any], incident_id: int, event: str, at: datetime, told: Sequence[str]) -> None:
    arguments = {"incident_id": incident_id, "event": event, "event_at": at, "receivers": [digest(a) for a in told]}
    cursor.execute(query("outbox_add"), arguments)
