"""Alertmanager's side of an incident: the alert as its API takes it (`POST /api/v2/alerts`).

An alert is known by its labels, so they are the same from the first word to the last; what may change in between
(summary, cause in words) is an annotation.
"""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import structlog

log = structlog.get_logger()

# What is open is told every half minute. Where nobody tells it any more, Dagster is down: that is an alert of its own
# (DagsterDown), and long before this time is over.
LIFE: Final = timedelta(minutes=15)
_TIMEOUT_S: Final = 5.0


def is_one(address: str) -> bool:
    """Whether an address is an Alertmanager's: apprise has its own schemes for the web (json://, slack://)."""
    return address.startswith(("http://", "https://"))


def runbook_url(incident: Mapping[str, Any], runbooks: str) -> str:
    """Where it is explained what to do."""
    return f"{runbooks.rstrip('/')}/{incident['runbook']}.md"


def as_alert(incident: Mapping[str, Any], runbooks: str, now: datetime) -> dict[str, Any]:
    """An incident as Alertmanager takes it; one that is closed carries its end."""
    kind, _, name = incident["key"].partition(":")
    last_good = incident["last_good"]
    labels = {
        "alertname": "".join(part.capitalize() for part in kind.split("_")),
        "kind": kind,
        "name": name,
        "hop": incident["hop"],
        "source": incident["source"],
        "severity": incident["severity"],
        "cause": incident["cause"],
    }
    annotations = {
        "summary": incident["summary"],
        "description": incident["detail"].get("cause", ""),
        "to_do": incident["detail"].get("to_do", ""),
        "last_good": last_good.isoformat() if last_good else "none",
        "runbook_url": runbook_url(incident, runbooks),
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": annotations,
        "startsAt": incident["since"].isoformat(),
        "endsAt": (incident["closed_at"] or now + LIFE).isoformat(),
    }


def post(url: str, incidents: Sequence[Mapping[str, Any]], runbooks: str) -> bool:
    """Hands incidents over; whether Alertmanager has taken them."""
    now = datetime.now(UTC)
    body = json.dumps([as_alert(incident, runbooks, now) for incident in incidents]).encode()
    address, headers = _reached(url)  # the operator's own
    request = urllib.request.Request(f"{address}/api/v2/alerts", data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        log.warning("alertmanager_unavailable", url=address, problem=str(error))
        return False


def _reached(url: str) -> tuple[str, dict[str, str]]:
    """The address without user and password, and the headers that carry them."""
    parts = urlsplit(url.rstrip("/"))
    headers = {"Content-Type": "application/json"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), headers
