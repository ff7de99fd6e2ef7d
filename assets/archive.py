"""Asset `history/archive`: whole days as Parquet files; and the job that brings days back.

What: a day's chunks become one file, sorted by flight and time. When: `days_to_archive` looks each minute for days that
ended FLIGHT_ARCHIVE_AFTER_H ago (26 hours: a report may be a day late), have nothing raw, and are not in the archive as
they are: so days of a downtime and days that were given late rows follow by themselves. Why: what is old is cheap there
and readable without the platform, and may leave the database. How: `flight_platform/history/archive.py`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import dagster as dg
from pydantic import Field

from assets.compaction import KEY as CHUNKS_KEY
from assets.partitions import START
from assets.previews import accepted
from assets.resources import Platform
from assets.schedules import is_busy
from flight_platform.history.archive import Archived, archive_day, ready_days, restore_day
from flight_platform.history.parquet import SCHEMA

KEY: Final = dg.AssetKey(["history", "archive"])
DAYS: Final = dg.DailyPartitionsDefinition(start_date=START)
DAYS_A_ROUND: Final = 8
_COLUMNS: Final = dg.TableSchema(columns=[dg.TableColumn(field.name, str(field.type)) for field in SCHEMA])


def figures(made: Archived) -> dict[str, Any]:
    """A day's file as metadata."""
    if made.skipped is not None:
        return {"not archived": made.skipped}
    metadata: dict[str, Any] = {
        "dagster/row_count": made.rows,
        "bytes": made.bytes,
        "path": made.path,
        "checksum": f"{made.checksum & (1 << 64) - 1:016x}",
    }
    if made.rows:
        metadata["bytes a position"] = round(made.bytes / made.rows, 1)
    return metadata


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
        deps=[CHUNKS_KEY],
        pool="history_archive",
        group_name="history",
        kinds={"postgres", "parquet"},
        owners=["team:platform"],
        metadata={"dagster/column_schema": _COLUMNS},
        description=(
            "Each **day** (UTC) as a Parquet file `positions/date=YYYY-MM-DD/positions.parquet` below "
            "`FLIGHT_ARCHIVE`, sorted by flight and time, with the names and units of `analytics.positions`: DuckDB, "
            "pandas and Spark read it. Rows and checksum of each hour are on record.\n\n"
            "Written 26 hours after the day's end, and anew when something came late. The old file or the new one is "
            "there and whole, whatever dies."
        ),
    )
    def history_archive(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[Any]:
        """Writes the day; one that has raw positions still is a failure."""
        settings = platform.settings()
        with platform.connect(settings) as connection:
            made = archive_day(connection, settings.archive, date.fromisoformat(context.partition_key))
        if made.skipped is not None:
            raise dg.Failure(f"{made.day} is not archived: {made.skipped}", allow_retries=False)
        return dg.MaterializeResult(metadata=figures(made))


with accepted():
    archive_days: Final = dg.define_asset_job(
        "archive_days", selection=[KEY], description="Writes days as Parquet files."
    )


@dg.sensor(
    job=archive_days,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for each settled day that is not in the archive as it is in the database.",
)
def days_to_archive(context: dg.SensorEvaluationContext, platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run a day, the oldest first."""
    if is_busy(context.instance, archive_days.name):
        yield dg.SkipReason("the last runs have not ended")
        return
    now, settings = datetime.now(UTC), platform.settings()
    settled = timedelta(hours=settings.archive_after_h)
    with platform.connect(settings) as connection:
        days = ready_days(connection, now, settled=settled, since=START.date())
    if not days:
        yield dg.SkipReason("every settled day is in the archive as it is")
    for day in days[:DAYS_A_ROUND]:
        yield dg.RunRequest(run_key=f"{day} @{now:%Y-%m-%d %H}", partition_key=day.isoformat())


class Days(dg.Config):
    """A stretch of days, and hours of them where not all are wanted."""

    from_day: str = Field(description="First day, UTC, as in 2026-01-31")
    to_day: str = Field(description="Last day, included")


@dg.op
def restore(context: dg.OpExecutionContext, config: Days, platform: Platform) -> None:
    """Brings each day back that the archive has; what is in the database stays as it is."""
    settings = platform.settings()
    first, last = date.fromisoformat(config.from_day), date.fromisoformat(config.to_day)
    with platform.connect(settings) as connection:
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(ordinal)
            context.log.info("%s: %d positions restored", day, restore_day(connection, settings.archive, day))


@dg.job(description="Brings days back from the archive into the database, where they stay for at least a week.")
def restore_from_archive() -> None:
    """One op."""
    restore()
