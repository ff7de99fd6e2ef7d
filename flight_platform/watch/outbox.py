"""The outbox: tells each receiver of each incident, at least once, and nobody twice because another one is down.

    ops.outbox (a row a receiver and event) ──► Alertmanager (http:// and https:// addresses)
                                          └──► anything that apprise knows (mailto://, slack://, json://, ...)

Alertmanager is the hub where there is one: grouping, silences and routes are its trade. What it does not take within a
minute goes to the fallback as well. Whoever was told just before a crash is told again.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import dict_row

from flight_platform.history.sql import query
from flight_platform.settings import Settings
from flight_platform.watch import alertmanager, alerts
from flight_platform.watch.alerts import digest, open_incidents

log = structlog.get_logger()

PATIENCE: Final = timedelta(days=1)  # after which a message is given up; the incident stands in any case
FALLBACK_AFTER: Final = timedelta(minutes=1)
RESEND_S: Final = 30.0  # how often Alertmanager is told again of what is open

Send = Callable[[str, Mapping[str, Any], str], bool]  # address, incident, runbooks: whether the receiver has taken it


def deliver(
    connection: psycopg.Connection[Any],
    receivers: Sequence[str],
    *,
    fallback: Sequence[str] = (),
    runbooks: str = "docs/runbooks",
    send: Send | None = None,
) -> int:
    """One attempt at every message that is due; returns how many were taken. Pauses grow with the attempts."""
    addresses = {digest(address): address for address in (*receivers, *fallback)}
    taken = 0
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        due = cursor.execute(query("outbox_due"), {"receivers": list(addresses)}).fetchall()
        outcomes = _send_all(send or _send, [(addresses[row["receiver"]], row) for row in due], runbooks)
        for row, was_taken in zip(due, outcomes, strict=True):
            arguments = {"outbox_id": row["outbox_id"], "taken": was_taken, "patience": PATIENCE}
            tried = cursor.execute(query("outbox_settle"), arguments).fetchone() or {}
            taken += was_taken
            if not was_taken:
                log.error("alert_not_delivered", key=row["key"], receiver=row["receiver"], **tried)
                if addresses[row["receiver"]] in receivers and datetime.now(UTC) - row["event_at"] > FALLBACK_AFTER:
                    cursor.execute(query("outbox_add"), row | {"receivers": [digest(a) for a in fallback]})
    return taken


def tell(connection: psycopg.Connection[Any], settings: Settings, *, again: bool) -> int:
    """One attempt at whatever is due, to whom the settings name; `again`: what is open is told Alertmanager anew."""
    told = alerts.receivers(settings)
    fallback = settings.alert_urls if settings.alertmanager_url else ()
    taken = deliver(connection, told, fallback=fallback, runbooks=settings.runbooks_url)
    if again:
        resend(connection, told, runbooks=settings.runbooks_url)
    return taken


def resend(connection: psycopg.Connection[Any], receivers: Sequence[str], *, runbooks: str = "docs/runbooks") -> int:
    """Tells every Alertmanager again what is open, which it would forget otherwise; returns how many incidents."""
    hubs = [address for address in receivers if alertmanager.is_one(address)]
    incidents = open_incidents(connection) if hubs else []
    for hub in hubs:
        if incidents:
            alertmanager.post(hub, incidents, runbooks)
    return len(incidents)


def message(incident: Mapping[str, Any], runbooks: str = "docs/runbooks") -> tuple[str, str]:
    """Title and text of an incident's alert, or of its all-clear where it is closed."""
    if incident["closed_at"] is not None:
        lasted_s = (incident["closed_at"] - incident["since"]).total_seconds()
        return f"[resolved] {incident['key']}", f"{incident['summary']}\nIt is over; it lasted {lasted_s:.0f} s."
    last_good = incident["last_good"]
    lines = [
        incident["summary"],
        f"Since: {incident['since']:%Y-%m-%d %H:%M:%S} UTC",
        f"Last good value: {f'{last_good:%Y-%m-%d %H:%M:%S} UTC' if last_good else 'none'}",
        f"Likely cause: {incident['detail'].get('cause', 'unknown')}",
        f"What to do: {incident['detail'].get('to_do', 'see the runbook')}",
        f"Runbook: {alertmanager.runbook_url(incident, runbooks)}",
    ]
    return f"[{incident['severity']}] {incident['key']}", "\n".join(lines)


def _send_all(send: Send, messages: Sequence[tuple[str, Mapping[str, Any]]], runbooks: str) -> list[bool]:
    """All at once: a receiver that hangs does not keep the others waiting."""
    if not messages:
        return []
    with ThreadPoolExecutor(max_workers=len(messages)) as pool:
        futures = [pool.submit(send, address, incident, runbooks) for address, incident in messages]
        return [_answer(future.result) for future in futures]


def _answer(result: Callable[[], bool]) -> bool:
    try:
        return result()
    except Exception as error:  # a receiver's trouble, whatever it is, is not ours
        log.warning("alert_receiver_failed", problem=repr(error))
        return False


def _send(address: str, incident: Mapping[str, Any], runbooks: str) -> bool:
    if alertmanager.is_one(address):
        return alertmanager.post(address, [incident], runbooks)
    return _apprise(address, *message(incident, runbooks))


def _apprise(address: str, title: str, body: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some of its plugins import what Python will drop
        import apprise  # late: 100 plugins, and many platforms have no receiver

        service = apprise.Apprise()
        known = service.add(address)
    if not known:
        log.error("alert_address_wrong", receiver=digest(address), advice="see FLIGHT_ALERT_URLS and apprise's wiki")
        return False
    return bool(service.notify(title=title, body=body))
