"""Asset `history/partitions`: the leaves of `history.positions`, an hour each, made seven days ahead.

Also the one place where the platform's time partitions are declared. How a leaf is made is the matter of
`flight_platform/history/partitions.py`; when, of `schedules.py`.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import dagster as dg

from assets.previews import accepted
from assets.resources import Platform
from flight_platform.history.partitions import ensure_ahead, ensure_hour, start_of_hour
from flight_platform.settings import Settings

HOUR: Final = timedelta(hours=1)
KEY_FORMAT: Final = "%Y-%m-%d-%H:%M"  # Dagster's own for hours
# Partitions are part of the definitions, so this one setting is read when they are loaded. An earlier hour is stored
# and served as any other, but Dagster does not see it; each year costs 0.1 s wherever all keys are listed.
START: Final = datetime.combine(Settings.read().history_start, time(), UTC)
AHEAD_DAYS: Final = 7

HOURS: Final = dg.HourlyPartitionsDefinition(start_date=START)  # the closed ones
# One offset is the running hour, the others are still to come.
HOURS_AHEAD: Final = dg.HourlyPartitionsDefinition(start_date=START, end_offset=1 + AHEAD_DAYS * 24)

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"


def key_of(hour: datetime) -> str:
    """The partition key of an hour."""
    return hour.astimezone(UTC).strftime(KEY_FORMAT)


def hour_of(key: str) -> datetime:
    """The hour of a partition key."""
    return datetime.strptime(key, KEY_FORMAT).replace(tzinfo=UTC)


def range_tags(first: datetime, last: datetime) -> dict[str, str]:
    """Tags that make one run of a range of hours, both ends included."""
    return {RANGE_START: key_of(first), RANGE_END: key_of(last)}


def hours_ahead(now: datetime) -> list[datetime]:
    """The hours that must have a leaf: the running one and all of the seven days to come."""
    return [start_of_hour(now) + n * HOUR for n in range(AHEAD_DAYS * 24 + 1)]


with accepted():

    @dg.asset(
        key=["history", "partitions"],
        partitions_def=HOURS_AHEAD,
        # Not AutomationCondition.on_missing(): it skips what was missed while Dagster was down. A schedule asks for the
        # missing range instead, and one run makes it.
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
        pool="pg_ddl",
        group_name="history",
        kinds={"postgres"},
        owners=["team:platform"],
        description=(
            "The leaf tables of `history.positions`, one an hour (UTC), made **seven days ahead**, so that a report "
            "always finds its partition. Making one that is there does nothing."
        ),
    )
    def history_partitions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[Any]:
        """Makes the leaves of the run's hours, and of the days ahead that the settings ask for."""
        settings = platform.settings()
        wanted = [hour_of(key) for key in context.partition_keys]
        with platform.connect(settings) as connection:
            made = sum(ensure_hour(connection, hour) for hour in wanted)
            made += len(ensure_ahead(connection, datetime.now(UTC), settings.partitions_ahead_days))
        return dg.MaterializeResult(metadata={"hours": len(wanted), "made": made})
