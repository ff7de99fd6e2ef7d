"""Asset `history/chunks`: closed hours that passed their checks, as chunks. And the job that does it for any stretch.

What: an hour's raw positions (146 bytes each) become chunks (15 to 20), in one transaction; what came late is merged.
When: `hours_to_compact` looks twice a minute which hours wait, in the database itself and not in Dagster's events: so
hours of a downtime, hours that an operator has accepted and hours that were given late rows all follow by themselves.
Why not an automation condition: a late row changes no asset. How: `flight_platform/history/compaction.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from assets.hours import KEY as HOURS_KEY
from assets.hours import stretches
from assets.partitions import HOUR, HOURS, START, hour_of, key_of, range_tags
from assets.previews import accepted
from assets.quality import Hours
from assets.resources import Platform
from assets.schedules import is_busy
from flight_platform.errors import FlightError
from flight_platform.history.compaction import Compaction, compact_hours, due_hours
from flight_platform.history.partitions import start_of_hour

KEY: Final = dg.AssetKey(["history", "chunks"])
RUNS_A_ROUND: Final = 4


def figures(done: Compaction) -> dict[str, Any]:
    """An hour's compaction as metadata."""
    if done.skipped is not None:
        return {"left raw": done.skipped}
    metadata: dict[str, Any] = {
        "dagster/row_count": done.rows,
        "moved": done.moved,
        "bytes before": done.bytes_before,
        "bytes": done.bytes_after,
    }
    if done.rows:
        metadata["bytes a position"] = round(done.bytes_after / done.rows, 1)
    if done.moved and done.bytes_after:
        metadata["ratio"] = round(done.bytes_before / done.bytes_after, 1)
    return metadata


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=10),
        deps=[HOURS_KEY],
        pool="history_chunks",
        group_name="history",
        kinds={"postgres"},
        owners=["team:platform"],
        description=(
            "Each **closed hour** that passed its checks, or was accepted, as chunks of `history.chunks`: a tenth "
            "of its size, exact, and seen once by every reader at every moment. An hour that did not pass stays "
            "raw. Late rows are merged once an hour.\n\n"
            "Doing it again does no harm; killed on the way, nothing has happened. `docs/lifecycle.md` says how."
        ),
    )
    def history_chunks(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[Any]:
        """Compacts each hour of the run, an hour a transaction."""

        def tell(done: Compaction) -> None:
            context.add_asset_metadata(figures(done), partition_key=key_of(done.hour))

        with platform.connect() as connection:
            compact_hours(connection, [hour_of(key) for key in context.partition_keys], datetime.now(UTC), tell)
        return dg.MaterializeResult()


with accepted():
    compact_closed_hours: Final = dg.define_asset_job(
        "compact_closed_hours", selection=[KEY], description="Closed hours that passed their checks become chunks."
    )


@dg.sensor(
    job=compact_closed_hours,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Asks for each hour that may be compacted and has raw positions: the last one, those of a downtime, those that "
        "were accepted, and once an hour those that were given late rows. Hours in a row make one run."
    ),
)
def hours_to_compact(
    context: dg.SensorEvaluationContext, platform: Platform
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Runs over the stretches of hours that wait."""
    if is_busy(context.instance, compact_closed_hours.name):
        yield dg.SkipReason("the last run has not ended")
        return
    now = datetime.now(UTC)
    with platform.connect() as connection:
        due = due_hours(connection, now, since=START)
    if not due:
        yield dg.SkipReason("no hour waits")
    for first, last in stretches(due)[:RUNS_A_ROUND]:
        run_key = f"{key_of(first)}..{key_of(last)} @{now:%Y-%m-%d %H}:{now.minute // 10}0"
        yield dg.RunRequest(run_key=run_key, tags=range_tags(first, last))


@dg.op
def compact_stretch(context: dg.OpExecutionContext, config: Hours, platform: Platform) -> None:
    """Compacts each hour of the stretch that has raw positions, whatever Dagster knows of it."""
    first, last = _moment(config.from_hour), _moment(config.to_hour)
    if last < first:
        raise FlightError(f"to_hour {config.to_hour} lies before from_hour {config.from_hour}")
    now = datetime.now(UTC)
    done: Sequence[Compaction] = ()
    with platform.connect() as connection:
        hours = [first + n * HOUR for n in range(round((last - first) / HOUR) + 1)]
        done = compact_hours(connection, hours, now, lambda c: context.log.info("%s: %s", key_of(c.hour), figures(c)))
    for compaction in done:
        if compaction.hour >= START and compaction.skipped is None:
            context.log_event(
                dg.AssetMaterialization(KEY, partition=key_of(compaction.hour), metadata=figures(compaction))
            )


@dg.job(description="Compacts a stretch of hours now, late rows included: after a backfill, or before an export.")
def recompact() -> None:
    """One op."""
    compact_stretch()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return start_of_hour(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
