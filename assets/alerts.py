"""Alerts in Dagster: what else somebody has to see to, each half minute, and the telling of people, each five seconds.

    house     conditions, refusals, runs that failed ──► alerts.settle ──► ops.incidents, ops.outbox
    tell      ops.outbox ──► Alertmanager, or each receiver of FLIGHT_ALERT_URLS

Telling has a sensor of its own, since a receiver that hangs must not keep anybody from looking.
"""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from assets.failing import failed_runs
from assets.resources import Platform
from flight_platform.watch import alerts, conditions, credentials, freshness, outbox, refusals, repeats, shares
from flight_platform.watch.alerts import Alert


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Looks after the house: partitions ahead, the disk, what is refused or repeated, credentials and credits, lost "
        "reports, runs that failed. Opens an incident for each, and closes it when it is over."
    ),
)
def house(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One look at everything but the stream."""
    settings, now = platform.settings(), datetime.now(UTC)
    with platform.connect(settings) as connection:
        seen_at, seen = freshness.see(connection)
        hops = list(seen.values())
        before = json.loads(context.cursor or "{}")
        at = seen_at.timestamp()
        refused = shares.from_json(before.get("refused", {}))
        refused = shares.follow(refused, refusals.counted(hops), at, refusals.RULE)
        repeated = shares.from_json(before.get("repeated", {}))
        repeated = shares.follow(repeated, repeats.counted(hops), at, repeats.RULE)
        found: dict[str, list[Alert]] = {
            "partitions": conditions.partitions_ahead(connection, now, days_made=settings.partitions_ahead_days),
            "disk": conditions.disk(settings.var, now),
            "credentials": [
                *credentials.expiring(connection, settings, now),
                *conditions.concerns(hops, "credentials", now),
            ],
            "credits": conditions.concerns(hops, "credits", now),
            "loss": conditions.losses(connection),
            "store": conditions.stores(hops, now),
            "dead_letters": refusals.alerts_of(refused),
            "repeats": repeats.alerts_of(repeated),
            "run": failed_runs(context.instance, settings),
        }
        told, well_at = alerts.receivers(settings), dict(before.get("well_at", {}))
        for kind, listed in found.items():
            alerts.settle(connection, [_with_last_good(alert, well_at.get(kind)) for alert in listed], told, kind=kind)
            if not listed:
                well_at[kind] = now.timestamp()
    wrong = "; ".join(alert.summary for listed in found.values() for alert in listed)
    seen_shares = {"refused": shares.to_json(refused), "repeated": shares.to_json(repeated)}
    cursor = json.dumps({**seen_shares, "well_at": well_at})
    return dg.SensorResult(skip_reason=dg.SkipReason(wrong or "the house is in order"), cursor=cursor)


def _with_last_good(alert: Alert, well_at: float | None) -> Alert:
    """Of what has no value of its own, the last good one is the last look at which nothing of its kind was wrong."""
    if alert.last_good is not None or well_at is None:
        return alert
    return replace(alert, last_good=datetime.fromtimestamp(well_at, UTC))


@dg.sensor(
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells Alertmanager, or each receiver, what they have not been told, until they take it.",
)
def tell(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One attempt at whatever is due."""
    settings = platform.settings()
    if not alerts.receivers(settings):
        nobody = "nobody is to be told: see FLIGHT_ALERTMANAGER_URL and FLIGHT_ALERT_URLS"
        return dg.SensorResult(skip_reason=dg.SkipReason(nobody))
    resent_at, now = float(context.cursor or 0), time.time()
    again = now - resent_at >= outbox.RESEND_S
    with platform.connect(settings) as connection:
        taken = outbox.tell(connection, settings, again=again)
    skip = dg.SkipReason(f"{taken} messages were taken")
    return dg.SensorResult(skip_reason=skip, cursor=str(now if again else resent_at))
