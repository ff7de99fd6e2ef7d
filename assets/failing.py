"""What of Dagster itself fails: jobs whose newest run, sensors and schedules whose last ticks have failed.

Dagster shows both and calls nobody. Who looks is `alerts.py` (runs) and `sensors.py` (sensors: the watchman looks after
the others, `house` among them; that the watchman itself is silent is seen from outside, see DagsterDown).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickStatus

from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert

SENSOR: Final = "sensor"  # the kind of incidents about sensors and schedules
TELLER: Final = "tell"  # the sensor that tells people: where it fails, nobody hears of that
_LOOK_BACK: Final = timedelta(days=30)  # runs that failed longer ago and were never tried again are old news
_RUNS: Final = 200
_UNNAMED: Final = "__ASSET_JOB"  # Dagster's name for a run of assets that no job asked for
_IN_A_ROW: Final = {InstigatorType.SENSOR: 3, InstigatorType.SCHEDULE: 2}  # one that fails once is tried again soon
_OLD_NEWS: Final = {InstigatorType.SENSOR: timedelta(hours=1), InstigatorType.SCHEDULE: timedelta(days=8)}
_GOOD: Final = [TickStatus.SUCCESS, TickStatus.SKIPPED]
_ENDED: Final = [*_GOOD, TickStatus.FAILURE]
_BLIND: Final = frozenset({"house", TELLER})  # without these nobody is told of the rest


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
    found = [(name, failure, _last_success(instance, name, failure)) for name, failure in sorted(newest.items())]
    return [
        _alert(name, failure, success, settings)
        for name, failure, success in found
        if success is None or success.update_timestamp <= failure.update_timestamp
    ]


def _last_success(instance: dg.DagsterInstance, name: str, failure: dg.RunRecord) -> dg.RunRecord | None:
    job = failure.dagster_run.job_name
    successes = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
    records = instance.get_run_records(successes, limit=_RUNS if job == _UNNAMED else 1)  # newest first
    return next((record for record in records if _name_of(record.dagster_run) == name), None)


def _name_of(run: dg.DagsterRun) -> str:
    if run.job_name != _UNNAMED:
        return run.job_name
    return "+".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name


def _alert(name: str, failure: dg.RunRecord, success: dg.RunRecord | None, settings: Settings) -> Alert:
    run_id = failure.dagster_run.run_id
    return Alert(
        key=f"run:{name}",
        hop="dagster",
        source="",
        severity="warning",
        summary=f"the last run of {name} has failed",
        since=_ended_at(failure),
        last_good=None if success is None else _ended_at(success),
        cause=f"see run {run_id}: http://127.0.0.1:{settings.dagster_port}/runs/{run_id}",
        to_do="Read the run's log; once the cause is mended, run the job again (Re-execute): its success closes this.",
        code="run_failed",
    )


def _ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)


def failing_ticks(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> list[Alert]:
    """An alert for each sensor or schedule whose last ticks have all failed: one that does not is the all-clear.

    Of those that do not tick any more (switched off, renamed) nothing is said.
    """
    return list(_failing(instance, settings, now))


def _failing(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Iterator[Alert]:
    for state in instance.all_instigator_state():
        wanted = _IN_A_ROW.get(state.instigator_type)
        if wanted is None or not state.is_running:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=wanted, statuses=_ENDED)
        failed = [tick for tick in ticks if tick.status is TickStatus.FAILURE]
        if len(failed) < wanted or _at(ticks[0]) < now - _OLD_NEWS[state.instigator_type]:
            continue
        yield _about(state, failed, _last_good(instance, state), settings)


def _about(
    state: InstigatorState, failed: Sequence[InstigatorTick], last_good: datetime | None, settings: Settings
) -> Alert:
    what = state.instigator_type.value.lower()
    problem = failed[0].error.message.strip().splitlines()[-1:] if failed[0].error else []
    return Alert(
        key=f"{SENSOR}:{state.name}",
        hop="dagster",
        source="",
        severity="critical" if state.name in _BLIND else "warning",
        summary=f"{what} {state.name} of Dagster fails each time",
        since=_at(failed[-1]),
        last_good=last_good,
        cause="".join(problem) or "see its ticks",
        to_do=f"Read its ticks: http://127.0.0.1:{settings.dagster_port}/automation. Its work is not done meanwhile.",
        code="sensor_fails",
    )


def _last_good(instance: dg.DagsterInstance, state: InstigatorState) -> datetime | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=_GOOD)
    return _at(ticks[0]) if ticks else None


def _at(tick: InstigatorTick) -> datetime:
    return datetime.fromtimestamp(tick.timestamp, UTC)
