"""Asset `history/statistics`: each closed hour counted, with a picture of where aircraft were seen.

What is counted is the matter of `flight_platform/history/statistics.py`; when, of `automation.py`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
import psycopg

from assets import pictures
from assets.automation import FOLLOWS
from assets.hours import KEY as HOURS_KEY
from assets.partitions import HOURS, hour_of
from assets.previews import accepted
from assets.resources import Platform
from flight_platform.history.partitions import HOUR
from flight_platform.history.statistics_tables import Counted, cells_between, count_hour, prune, recent_hours

KEY: Final = dg.AssetKey(["history", "statistics"])
_DAY: Final = timedelta(days=1)


def _figures(counted: Counted) -> dict[str, Any]:
    """The hour in figures, and its reports minute by minute and by source and kind."""
    everything = counted.slices[0].minute_reports if counted.slices else []
    parts = [[s.slice, s.value or "unknown", s.reports, s.aircraft, s.flights] for s in counted.slices[1:]]
    return {
        "dagster/row_count": counted.reports,
        "aircraft": counted.aircraft,
        "flights": counted.flights,
        "cells": counted.cells,
        "reports by minute": dg.MetadataValue.md(f"`{pictures.bars(everything)}`" if everything else "none"),
        "by source and kind": dg.MetadataValue.md(
            pictures.markdown_table(["slice", "value", "reports", "aircraft", "flights"], parts)
        ),
    }


def _plots(connection: psycopg.Connection, hour: datetime) -> dict[str, Any]:
    """The day up to this hour: where aircraft were seen, and rows an hour."""
    end = hour + HOUR
    picture = pictures.coverage(cells_between(connection, end - _DAY, end))
    hours = recent_hours(connection, end - _DAY, end)
    head = ["hour", "reports", "aircraft", "flights", "busiest second", "latency p99, ms", "lateness p99, ms", ""]
    most = max((row["reports"] for row in hours), default=0) or 1
    rows = [
        [f"{row.pop('hour').astimezone(UTC):%d %H:%M}", *row.values(), "█" * round(row["reports"] / most * 20)]
        for row in hours
    ]
    drawn = pictures.markdown_picture(picture, "where aircraft were seen") if picture else "no aircraft was seen"
    return {
        "coverage, 24 hours": dg.MetadataValue.md(drawn),
        "hour by hour": dg.MetadataValue.md(pictures.markdown_table(head, rows)),
    }


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=FOLLOWS,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=10),
        deps=[HOURS_KEY],
        pool="history_statistics",
        group_name="history",
        kinds={"postgres"},
        owners=["team:platform"],
        description=(
            "Each **closed hour** counted, and its day with it: reports, aircraft and flights, by source and by kind; "
            "rates by the minute; latency and lateness percentiles; coverage in H3 cells. Tables "
            "`history.statistics*`, for a chart the views `analytics.statistics*`.\n\n"
            "Follows `history/hours`, also when an hour is looked at again. Counting again changes nothing; an hour "
            "whose positions have left the database keeps the figures that it has."
        ),
    )
    def history_statistics(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[Any]:
        """Counts each hour of the run; the plots are of the last one's day."""
        with platform.connect() as connection:
            for key in context.partition_keys:
                counted = count_hour(connection, hour_of(key))
                figures = {"left": "its positions are in the archive"} if counted is None else _figures(counted)
                context.add_asset_metadata(figures, partition_key=key)
            context.add_asset_metadata(_plots(connection, hour_of(key)), partition_key=key)
            prune(connection, datetime.now(UTC))
        return dg.MaterializeResult()
