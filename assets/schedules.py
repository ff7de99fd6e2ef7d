"""When maintenance runs by the clock. What runs when something is missing is in `sensors.py`."""

from datetime import UTC
from typing import Final

import dagster as dg

from assets.hours import KEY as HOURS_KEY
from assets.partitions import hours_ahead, key_of, range_tags
from assets.resources import Platform
from flight_platform.history.partitions import list_hours

PARTITIONS_KEY: Final = dg.AssetKey(["history", "partitions"])
AIRPORTS_KEY: Final = dg.AssetKey(["reference", "airports"])

make_partitions: Final = dg.define_asset_job(
    "make_partitions",
    selection=[PARTITIONS_KEY],
    description="Makes the leaf tables of the hours to come.",
)
look_at_hours: Final = dg.define_asset_job(
    "look_at_hours", selection=[HOURS_KEY], description="Counts and checks closed hours."
)
load_airports: Final = dg.define_asset_job(
    "load_airports", selection=[AIRPORTS_KEY], description="Replaces the table of airports."
)

_UNFINISHED: Final = [
    status for status in dg.DagsterRunStatus if status not in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    and status is not dg.DagsterRunStatus.CANCELED
]  # fmt: skip


def is_busy(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of this job waits or runs: then a second one would only stand in its way."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=_UNFINISHED)) > 0


@dg.schedule(
    job=make_partitions,
    # Each minute, and nearly always nothing to do: so a fresh platform has its partitions within a minute, and a range
    # that was missed in a downtime is asked for as soon as Dagster is back.
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Asks for the hours of the seven days ahead that are missing, as one run.",
)
def partitions_ahead(context: dg.ScheduleEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """One run over the range that begins with the first missing hour; what is there already is left as it is."""
    if is_busy(context.instance, make_partitions.name):
        return dg.SkipReason("the last run has not ended")
    wanted = hours_ahead(context.scheduled_execution_time.astimezone(UTC))
    with platform.connect() as connection:
        leaves = set(list_hours(connection))
    reported = context.instance.get_materialized_partitions(PARTITIONS_KEY)
    missing = [hour for hour in wanted if hour not in leaves or key_of(hour) not in reported]
    if not missing:
        return dg.SkipReason(f"all hours up to {key_of(wanted[-1])} are there")
    return dg.RunRequest(tags=range_tags(missing[0], wanted[-1]))


airports_weekly: Final = dg.ScheduleDefinition(
    name="airports_weekly",
    job=load_airports,
    cron_schedule="0 4 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Replaces the airports each Monday; the first time, the sensor `first_start` asks for them.",
)
