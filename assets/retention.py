"""What leaves the database: days that are old and provably in the archive, and the emptied leaves of compacted hours.

What and when: each hour `drop_what_is_old` drops the chunks of days older than FLIGHT_KEEP_DAYS, and the raw leaves
that are empty two days after their hour. Why: plans and disk stay small. A day whose file does not agree with the books
stays, and the run fails, which alerts. How: `flight_platform/history/retention.py`, and `compaction.py` beside it.
"""

from datetime import UTC, datetime

import dagster as dg
import psycopg

from assets.archive import KEY as ARCHIVE_KEY
from assets.resources import Platform
from assets.schedules import is_busy
from flight_platform.history.compaction import retire_leaves
from flight_platform.history.retention import Dropped, days_to_drop, drop_day


@dg.op
def drop_old_days(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Drops what may go; fails where a day may not, after all others."""
    settings, now = platform.settings(), datetime.now(UTC)
    kept = []
    with platform.connect(settings) as connection:
        leaves = retire_leaves(connection, now)
        context.log.info("%d emptied leaves dropped", len(leaves))
        for day in days_to_drop(connection, now, settings.keep_days):
            try:
                done = drop_day(connection, settings.archive, day)
            except psycopg.errors.LockNotAvailable:
                context.log.warning("%s is being read: it is dropped next time", day)
                continue
            _tell(context, done)
            if done.kept is not None:
                kept.append(f"{day}: {done.kept}")
    if kept:
        raise dg.Failure(f"these days stay in the database: {'; '.join(kept)}", allow_retries=False)


def _tell(context: dg.OpExecutionContext, done: Dropped) -> None:
    if done.kept is None:
        metadata = {"dropped from the database, rows": done.rows}
        context.log_event(dg.AssetObservation(ARCHIVE_KEY, partition=done.day.isoformat(), metadata=metadata))
    else:
        context.log.error("%s stays in the database: %s", done.day, done.kept)


@dg.job(description="Drops days that are old and provably in the archive, and emptied leaves of compacted hours.")
def drop_what_is_old() -> None:
    """One op."""
    drop_old_days()


@dg.schedule(
    job=drop_what_is_old,
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Each hour: what may leave the database by then. What was missed in a downtime goes with the next.",
)
def retention_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run, unless the last one has not ended."""
    if is_busy(context.instance, drop_what_is_old.name):
        return dg.SkipReason("the last run has not ended")
    return dg.RunRequest()
