"""Red checks of stores as incidents, as red hours are: open until the check is green again.

Those of hours are the matter of `flight_platform/history/hour_alerts.py`. Nothing here knows Dagster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from checks.expectations import Verdict
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert, receivers, settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is told of a check that is red."""

    kind: str  # of its incident, and its page of docs/runbooks
    name: str
    hop: str
    what: str
    to_do: str


PLAUSIBLE: Final = Check(
    kind="plausible",
    name="flights",
    hop="history",
    what="flights of the last day are not as expected",
    to_do="Open the check of asset history/flights: it names the flights, with Data Docs. They are made anew from "
    "positions: mend what derives them, or the positions, and materialise the hours again.",
)
AGREES: Final = Check(
    kind="agrees",
    name="live",
    hop="live",
    what="live and history do not agree on the last minute",
    to_do="See whether live or history is behind (`flight status`); the check of asset live/flights names the flights.",
)


def settle_check(
    connection: psycopg.Connection[Any],
    settings: Settings,
    check: Check,
    verdicts: Sequence[Verdict],
    now: datetime,
    *,
    green_at: datetime | None = None,
) -> None:
    """Opens the check's incident where it is red, closes it where it is green; what cannot be told changes nothing.

    `green_at`: when it was last green, if that is known.
    """
    if any(verdict.passed and verdict.problem for verdict in verdicts):
        return
    failed = [verdict for verdict in verdicts if not verdict.passed]
    found = [_alert(check, failed, now, green_at)] if failed else []
    settle(connection, found, receivers(settings), kind=check.kind)


def _alert(check: Check, failed: Sequence[Verdict], now: datetime, green_at: datetime | None) -> Alert:
    return Alert(
        key=f"{check.kind}:{check.name}",
        hop=check.hop,
        source="",
        severity="warning",
        summary=f"{check.what}: {', '.join(verdict.name for verdict in failed)}",
        since=now,
        last_good=green_at,
        cause="; ".join(f"{verdict.name}: {verdict.told}" for verdict in failed),
        to_do=check.to_do,
        code="check_failed",
    )
