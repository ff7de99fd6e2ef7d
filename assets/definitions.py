"""The code location: everything that Dagster knows of, put together. Assembly only; its parts live elsewhere."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.alerts import house, tell
from assets.analysts import analysts
from assets.archive import archive_days, days_to_archive, history_archive, restore_from_archive
from assets.automation import automation
from assets.backfill import backfill_hours, gaps_to_fill, history_backfill
from assets.compaction import compact_closed_hours, history_chunks, hours_to_compact, recompact
from assets.flights import flights_in_the_air, history_flights, open_flights
from assets.hours import history_hours
from assets.partitions import history_partitions
from assets.privacy import forget_aircraft
from assets.quality import (
    accept_red_hour,
    check_stores,
    checks_of_stores,
    flights_are_plausible,
    live_agrees_with_history,
    recheck_hours,
    verdicts,
)
from assets.reference import (
    load_reference_files,
    reference_aircraft,
    reference_airports,
    reference_files,
    reference_runways,
)
from assets.resources import Platform
from assets.retention import drop_what_is_old, retention_hourly
from assets.schedules import airports_weekly, load_airports, look_at_hours, make_partitions, partitions_ahead
from assets.sensors import closed_hours, first_start, heartbeats
from assets.statistics import history_statistics
from assets.streams import STREAMS, streams_are_moving


def build_defs(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions, with these resources in place of their namesakes: `platform`."""
    return dg.Definitions(
        assets=[
            *STREAMS,
            history_partitions,
            history_hours,
            history_chunks,
            history_archive,
            history_statistics,
            history_flights,
            history_backfill,
            reference_airports,
            reference_aircraft,
            reference_runways,
        ],
        asset_checks=[streams_are_moving, flights_are_plausible, live_agrees_with_history],
        jobs=[
            make_partitions,
            look_at_hours,
            accept_red_hour,
            recheck_hours,
            check_stores,
            compact_closed_hours,
            recompact,
            archive_days,
            restore_from_archive,
            drop_what_is_old,
            backfill_hours,
            forget_aircraft,
            load_airports,
            open_flights,
            load_reference_files,
        ],
        schedules=[partitions_ahead, checks_of_stores, airports_weekly, flights_in_the_air, retention_hourly],
        sensors=[
            heartbeats,
            house,
            tell,
            closed_hours,
            hours_to_compact,
            days_to_archive,
            gaps_to_fill,
            verdicts,
            first_start,
            automation,
            analysts,
            reference_files,
        ],
        resources={"platform": Platform(), **(resources or {})},
        # Runs are short and call the database: in one process they take 3 s, in several 11 s.
        executor=dg.in_process_executor,
    )


defs = build_defs()
