"""Alerts: from the first sign to the all-clear, once each.

    trouble ──► ops.incidents (a row: durable, at most one open a key) ──► log line
                      └── undelivered ──► each receiver of FLIGHT_ALERT_URLS, tried a few times

The row is committed before anybody is told, so no receiver can lose or hold back an alert; whom it could not reach is
written in the row and tried again at the next round. What is wrong is not decided here (`freshness.py` does).
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import dict_row

from flight_platform.freshness import Stall
from flight_platform.history.sql import query
from flight_platform.names import Stage

log = structlog.get_logger()

STALL: Final = "stall"  # keys of incidents about hops: stall:track, stall:source:paris
MAX_ATTEMPTS: Final = 5  # a receiver is tried in so many rounds, some 5 s apart, before we give it up

Send = Callable[[str, str, str], bool]  # address, title, body: whether the receiver has taken it

_TO_DO: Final[dict[Stage, str]] = {
    Stage.SOURCE: "See whether the source answers (`flight status`, the feed's log); the platform itself is in order.",
    Stage.FEED: "Look at the feed's log and at Kafka; start the feed again (`flight up`). A recording can be replayed.",
    Stage.TRACK: "Look at the log of track; start it again (`flight up`). Nothing is lost: Kafka holds the reports.",
    Stage.LIVE: "Look at the log of live and at Tile38; start it again (`flight up`). The map fills from Kafka.",
    Stage.HISTORY: "Look at the log of history; start it again (`flight up`). It goes on where it stopped.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What people are told: what, since when, last good value, likely cause, what to do."""

    key: str
    hop: str
    source: str
    severity: str  # info, warning or critical
    summary: str
    since: datetime
    last_good: datetime | None
    cause: str
    to_do: str

    @classmethod
    def of(cls, stall: Stall) -> "Alert":
        """The alert about a hop that has stopped."""
        what = f"source {stall.source}" if stall.stage is Stage.SOURCE else str(stall.stage)
        if stall.stage is Stage.FEED:
            what = f"feed {stall.source}"
        return cls(
            key=f"{STALL}:{stall.name}",
            hop=str(stall.stage),
            source=stall.source,
            severity="critical",
            summary=f"{what} has stopped: {stall.cause}",
            since=stall.since,
            last_good=stall.last_good,
            cause=stall.cause,
            to_do=_TO_DO[stall.stage],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one round has opened and closed, by key, and what is open after it."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    open: tuple[str, ...]


def open_stalls(connection: psycopg.Connection[Any]) -> list[str]:
    """The hops that an open incident names, as `freshness.look` wants them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("incidents_current")).fetchall()
    return [row["key"].removeprefix(f"{STALL}:") for row in rows if row["key"].startswith(f"{STALL}:")]


def settle(
    connection: psycopg.Connection[Any], alerts: Sequence[Alert], receivers: Sequence[str], *, kind: str = STALL
) -> Changes:
    """Opens an incident for each alert that has none, and closes those of this kind that no alert names any more.

    Commits. Two callers at once open one incident: the index decides who logs and sends.
    """
    undelivered = json.dumps({_digest(address): 0 for address in receivers})
    opened, closed = [], []
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        current = cursor.execute(query("incidents_current")).fetchall()
        present = {row["key"] for row in current}
        opened = [a for a in alerts if a.key not in present and _open(cursor, a, undelivered)]
        wanted = {alert.key for alert in alerts}
        for row in current:
            if row["key"].startswith(f"{kind}:") and row["key"] not in wanted:
                arguments = {"incident_id": row["incident_id"], "undelivered": undelivered}
                end = cursor.execute(query("incidents_close"), arguments).fetchone()
                if end is not None:
                    closed.append((row, end))
    for alert in opened:
        log.warning(
            "alert_opened",
            key=alert.key,
            hop=alert.hop,
            source=alert.source,
            summary=alert.summary,
            since=alert.since.isoformat(),
            last_good=alert.last_good and alert.last_good.isoformat(),
            to_do=alert.to_do,
        )
    for row, end in closed:
        lasted_s = round((end["closed_at"] - end["since"]).total_seconds(), 1)
        log.info("alert_closed", key=row["key"], hop=row["hop"], source=row["source"], lasted_s=lasted_s)
    gone = tuple(row["key"] for row, _ in closed)
    made = tuple(alert.key for alert in opened)
    still = tuple(key for key in sorted(present.union(made)) if key not in gone)
    return Changes(opened=made, closed=gone, open=still)


def _open(cursor: psycopg.Cursor[Any], alert: Alert, undelivered: str) -> bool:
    detail = {"cause": alert.cause, "to_do": alert.to_do, "undelivered": json.loads(undelivered)}
    arguments = {
        "key": alert.key,
        "hop": alert.hop,
        "source": alert.source,
        "severity": alert.severity,
        "summary": alert.summary,
        "since": alert.since,
        "last_good": alert.last_good,
        "detail": json.dumps(detail),
    }
    return cursor.execute(query("incidents_open"), arguments).fetchone() is not None


def deliver(connection: psycopg.Connection[Any], receivers: Sequence[str], send: Send | None = None) -> int:
    """Tells the receivers what they have not been told yet, each at most MAX_ATTEMPTS times; returns how many took it.

    At least once: who was told just before a crash is told again. Whoever is told is not told twice because another
    receiver fails.
    """
    addresses = {_digest(address): address for address in receivers}
    taken = 0
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query("incidents_undelivered")).fetchall():
            # An address that has gone from the settings is owed nothing.
            pending = {d: n for d, n in row["detail"]["undelivered"].items() if d in addresses}
            title, body = message(row)
            answers = _send_all(send or _apprise, {d: addresses[d] for d in pending}, title, body)
            failed = {digest: count + 1 for digest, count in pending.items() if not answers[digest]}
            taken += len(pending) - len(failed)
            given_up = sorted(d for d, count in failed.items() if count >= MAX_ATTEMPTS)
            left = {d: count for d, count in failed.items() if d not in given_up}
            for digest, count in failed.items():
                log.error("alert_not_delivered", key=row["key"], receiver=digest, attempt=count, of=MAX_ATTEMPTS)
            arguments = {
                "incident_id": row["incident_id"],
                "undelivered": json.dumps(left),
                "given_up": json.dumps(given_up),
            }
            cursor.execute(query("incidents_delivered"), arguments)
    return taken


def message(incident: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of an incident's alert, or of its all-clear where it is closed."""
    name = incident["key"].partition(":")[2] or incident["key"]
    if incident["closed_at"] is not None:
        lasted_s = (incident["closed_at"] - incident["since"]).total_seconds()
        return f"[resolved] {name} moves again", f"{incident['summary']}\nIt lasted {lasted_s:.0f} s."
    last_good = incident["last_good"]
    lines = [
        incident["summary"],
        f"Since: {incident['since']:%Y-%m-%d %H:%M:%S} UTC",
        f"Last good value: {f'{last_good:%Y-%m-%d %H:%M:%S} UTC' if last_good else 'none'}",
        f"Likely cause: {incident['detail'].get('cause', 'unknown')}",
        f"What to do: {incident['detail'].get('to_do', 'see docs/alerts.md')}",
    ]
    return f"[{incident['severity']}] {name} has stopped", "\n".join(lines)


def _send_all(send: Send, addresses: Mapping[str, str], title: str, body: str) -> dict[str, bool]:
    """All at once: a receiver that hangs does not keep the others waiting."""
    if not addresses:
        return {}
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        futures = {digest: pool.submit(send, address, title, body) for digest, address in addresses.items()}
        return {digest: _answer(future.result) for digest, future in futures.items()}


def _answer(result: Callable[[], bool]) -> bool:
    try:
        return result()
    except Exception as error:  # a receiver's trouble, whatever it is, is not ours
        log.warning("alert_receiver_failed", problem=repr(error))
        return False


def _apprise(address: str, title: str, body: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some of its plugins import what Python will drop
        import apprise  # late: 100 plugins, and many platforms have no receiver

        service = apprise.Apprise()
        known = service.add(address)
    if not known:
        log.error("alert_address_wrong", receiver=_digest(address), advice="see FLIGHT_ALERT_URLS and apprise's wiki")
        return False
    return bool(service.notify(title=title, body=body))


def _digest(address: str) -> str:
    """A receiver's name where it is written down: addresses hold passwords."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]
