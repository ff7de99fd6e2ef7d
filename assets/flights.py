"""Asset `history/flights`: the flights of each closed hour, and every five minutes those that are in the air.

    history/hours ──► this hour's flights, each made anew from all of its positions
    */5 * * * *   ──► the same for the hours that are still filling; flights silent for an hour become final

What a flight is made of is the matter of `flight_platform/history/flights.py`; that closed hours follow by themselves,
also after a downtime and when they are looked at again, of `automation.py`.
"""

from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
import psycopg

from assets.automation import FOLLOWS
from assets.hours import KEY as HOURS_KEY
from assets.partitions import HOURS, hour_of
from assets.previews import accepted
from assets.resources import Platform
from assets.schedules import is_busy
from flight_platform.flights.airports import Airports
from flight_platform.history.flights import Derived, derive_hour, derive_open, derive_silent, read_airports
from flight_platform.reference.tables import load_airports

KEY: Final = dg.AssetKey(["history", "flights"])


def _airports(connection: psycopg.Connection) -> Airports:
    """The airports that are loaded; on a fresh platform, which is ahead of its first load, they are loaded now."""
    airports = read_airports(connection)
    if len(airports):
        return airports
    load_airports(connection)
    return read_airports(connection)


def _figures(derived: Derived) -> dict[str, Any]:
    return {
        "dagster/row_count": derived.flights,
        "positions read": derived.positions,
        "ended": derived.ended,
        "with an airport of departure": derived.departures,
        "with an airport of arrival": derived.arrivals,
    }


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=FOLLOWS,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=10),
        deps=[HOURS_KEY],
        pool="history_flights",
        group_name="history",
        kinds={"postgres"},
        owners=["team:platform"],
        description=(
            "The flights with a position in each **closed hour**: airports, take-off and landing (inferred, each with "
            "a confidence), distance, average speed, greatest altitude, time in altitude bands, gaps. Table "
            "`history.flights`, for analysts `analytics.flights`; `docs/flights.md` says how it is inferred.\n\n"
            "Follows `history/hours`. Each flight is made anew from all of its positions, so that an hour may be "
            "derived again, late or out of order; one that is still in the air is made anew every five minutes by "
            "`open_flights`. Flights whose positions have left the database keep their row."
        ),
    )
    def history_flights(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[Any]:
        """Derives the flights of each hour of the run, an hour a transaction."""
        now = datetime.now(UTC)
        with platform.connect() as connection:
            airports = _airports(connection)
            for key in context.partition_keys:
                derived = derive_hour(connection, hour_of(key), airports, now)
                context.add_asset_metadata(_figures(derived), partition_key=key)
            derive_silent(connection, airports, now)
        return dg.MaterializeResult()


@dg.op(description="Makes the flights of the hours that are still filling anew, and ends those that are silent.")
def refresh_open_flights(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Observed and not materialised: the hours are not closed."""
    with platform.connect() as connection:
        derived = derive_open(connection, _airports(connection), datetime.now(UTC))
    context.log_event(dg.AssetObservation(KEY, metadata=_figures(derived)))


@dg.job(description="Brings the flights that are in the air up to date.")
def open_flights() -> None:
    """One step."""
    refresh_open_flights()


@dg.schedule(
    job=open_flights,
    cron_schedule="*/5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every five minutes: so old at most is what analysts see of flights in the air.",
)
def flights_in_the_air(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run, unless the last one has not ended."""
    if is_busy(context.instance, open_flights.name):
        return dg.SkipReason("the last run has not ended")
    return dg.RunRequest()
