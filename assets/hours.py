"""Asset `history/hours`: what each closed hour of history holds, and whether it is as expected.

Here hang the hourly checks, and not on the stream `history/positions`: that one is reported each minute, and its checks
would look unevaluated a minute later. What is expected is the matter of `checks/positions.py`; which hours are due,
of `flight_platform` below and of `sensors.py`.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from assets.partitions import HOUR, HOURS, START, hour_of, key_of
from assets.previews import accepted
from assets.resources import Platform
from checks.expectations import evaluation
from checks.positions import judge_hour
from flight_platform.history.partitions import leaf_name, list_hours
from flight_platform.history.sql import query

KEY: Final = dg.AssetKey(["history", "hours"])
LATENESS: Final = timedelta(minutes=10)  # how long after its end an hour still fills; what comes later is the exception
HOURS_A_RUN: Final = 48  # a run of so many full hours (2,000 positions a second) takes some 10 minutes

with accepted():
    CHECK: Final = dg.AssetCheckSpec(
        "positions",
        asset=KEY,
        partitions_def=HOURS,
        blocking=True,
        description=(
            "Rows are there; what must be known is; latitude, longitude, altitudes, speed, track and vertical rate are "
            "possible; squawks are four octal digits; no (flight_id, time) is there twice."
        ),
    )


def due_hours(connection: psycopg.Connection, materialized: Collection[str], now: datetime) -> list[datetime]:
    """The closed hours that hold data and have not been looked at, oldest first: whatever was missed is among them."""
    open_hours = [
        hour
        for hour in list_hours(connection)
        if START <= hour <= now - HOUR - LATENESS and key_of(hour) not in materialized
    ]
    if not open_hours:
        return []
    return [hour for (hour,) in connection.execute(query("hours_with_data"), {"hours": open_hours})]


def stretches(hours: Collection[datetime], longest: int = HOURS_A_RUN) -> list[tuple[datetime, datetime]]:
    """The hours as unbroken stretches of at most `longest` hours: one run each."""
    found: list[list[datetime]] = []
    for hour in sorted(hours):
        if found and hour - found[-1][-1] == HOUR and len(found[-1]) < longest:
            found[-1].append(hour)
        else:
            found.append([hour])
    return [(stretch[0], stretch[-1]) for stretch in found]


def summary(connection: psycopg.Connection, hour: datetime) -> dict[str, Any]:
    """An hour in figures: rows, flights, aircraft, first and last time, sources."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("hours_summary"), {"hour": hour}).fetchone()
    return row or {}


def _metadata(figures: dict[str, Any]) -> dict[str, Any]:
    first, last = figures["first_time"], figures["last_time"]
    return {
        "dagster/row_count": figures["rows"],
        "flights": figures["flights"],
        "aircraft": figures["aircraft"],
        "first time": first.isoformat() if first else "none",
        "last time": last.isoformat() if last else "none",
        "sources": ", ".join(figures["sources"]) or "unknown",
    }


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        check_specs=[CHECK],
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey(["history", "positions"])],
        pool="history_hours",
        group_name="history",
        kinds={"postgres", "greatexpectations"},
        owners=["team:platform"],
        description=(
            "Each **closed hour** of history (UTC): how many positions, flights and aircraft, from when to when, from "
            "which sources. Materialised ten minutes after the hour has ended; hours that were missed, or loaded "
            "later, follow by themselves. The check `positions` says whether the hour is as expected."
        ),
    )
    def history_hours(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
        """Looks at each hour of the run; the results follow the materialisation that they are about."""
        settings = platform.settings()
        url = settings.postgres_url.get_secret_value()
        results = []
        with platform.connect(settings) as connection:
            for key in context.partition_keys:
                figures = summary(connection, hour_of(key))
                context.add_asset_metadata(_metadata(figures), partition_key=key)
                results.append(evaluation(CHECK, key, judge_hour(url, leaf_name(hour_of(key)))))
        yield dg.MaterializeResult(asset_key=KEY)
        # A check is an output of its own, which evaluations by partition do not stand for.
        yield dg.Output(None, output_name=CHECK.get_python_identifier())
        yield from results
