"""Alerts in Dagster: what else somebody has to see to, each half minute, and the telling of people, each five seconds.

    house     conditions, refusals, runs that failed ──► alerts.settle ──► ops.incidents, ops.outbox
    tell      ops.outbox ──► Alertmanager, or each receiver of FLIGHT_ALERT_URLS

Telling has a sensor of its own, since a receiver that hangs must not keep anybody from looking.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from assets.resources import Platform
from flight_platform import alerts, conditions, credentials, freshness, outbox, refusals
from flight_platform.alerts import Alert
from flight_platform.settings import Settings

_LOOK_BACK: Final = timedelta(days=30)  # runs that failed longer ago and were never tried again are old news
_RUNS: Final = 200
_UNNAMED: Final = "__ASSET_JOB"  # Dagster's name for a run of assets that no job asked for


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Looks after the house: partitions ahead, the disk, what is refused, credentials and credits, lost reports, "
        "runs that failed. Opens an incident for each, and closes it when it is over."
    ),
)
def house(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One look at everything but the stream."""
    settings, now = platform.settings(), datetime.now(UTC)
    with platform.connect(settings) as connection:
        seen_at, seen = freshness.see(connection)
        hops = list(seen.values())
        tallies = refusals.from_json(json.loads(context.cursor or "{}"))
        tallies = refusals.follow(tallies, refusals.counted(hops), seen_at.timestamp())
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
            "dead_letters": refusals.alerts_of(tallies),
            "run": failed_runs(context.instance, settings),
        }
        told = alerts.receivers(settings)
        for kind, listed in found.items():
            alerts.settle(connection, listed, told, kind=kind)
    wrong = "; ".join(alert.summary for listed in found.values() for alert in listed)
    return dg.SensorResult(
        skip_reason=dg.SkipReason(wrong or "the house is in order"), cursor=json.dumps(refusals.to_json(tallies))
    )


def failed_runs(instance: dg.DagsterInstance, settings: Settings) -> list[Alert]:
    """An alert for each job whose newest run that has ended has failed: one that succeeds is the all-clear.

    Not Dagster's own run failure sensor: it tells of each failure once and of no recovery, and forgets what happened
    while it was off.
    """
    since = datetime.now(UTC) - _LOOK_BACK
    failures = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    newest: dict[str, dg.RunRecord] = {}
    for record in instance.get_run_records(failures, limit=_RUNS):  # newest first
        newest.setdefault(_name_of(record.dagster_run), record)
    return [
        _alert(name, record, settings)
        for name, record in sorted(newest.items())
        if not _has_succeeded_since(instance, name, record)
    ]


def _has_succeeded_since(instance: dg.DagsterInstance, name: str, failure: dg.RunRecord) -> bool:
    successes = dg.RunsFilter(
        job_name=failure.dagster_run.job_name,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        updated_after=failure.update_timestamp,
    )
    return any(_name_of(record.dagster_run) == name for record in instance.get_run_records(successes, limit=_RUNS))


def _name_of(run: dg.DagsterRun) -> str:
    if run.job_name != _UNNAMED:
        return run.job_name
    return "+".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name


def _alert(name: str, record: dg.RunRecord, settings: Settings) -> Alert:
    run_id = record.dagster_run.run_id
    ended_at = datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)
    return Alert(
        key=f"run:{name}",
        hop="dagster",
        source="",
        severity="warning",
        summary=f"the last run of {name} has failed",
        since=ended_at,
        last_good=None,
        cause=f"see run {run_id}: http://127.0.0.1:{settings.dagster_port}/runs/{run_id}",
        to_do="Read the run's log; once the cause is mended, run the job again (Re-execute): its success closes this.",
        code="run_failed",
    )


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
