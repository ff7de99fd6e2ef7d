"""Statistics in their tables: an hour is counted from its positions, its day from its hours; repeating changes nothing.

    read_hour ──► statistics.py ──► history.statistics, _flights, _cells ──► the row of the day

One transaction an hour, so a chart never sees an hour without its day. What is counted is `statistics.py`'s matter.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

import numpy as np
import psycopg
from psycopg.rows import dict_row

from flight_platform.codec import Columns
from flight_platform.history import statistics
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.reading import read_hour
from flight_platform.history.sketch import Array, merged, percentile
from flight_platform.history.sql import query

# Who was there in which hour is personal, and serves to count a day's aircraft once: after that only a late hour asks.
PRESENCE_KEPT: Final = timedelta(days=90)
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an hour came to."""

    hour: datetime
    reports: int
    aircraft: int
    flights: int
    cells: int
    slices: list[statistics.Figures]


def count_hour(connection: psycopg.Connection, hour: datetime) -> Counted | None:
    """Counts an hour and its day anew; None, and nothing is changed, where its positions have left the database."""
    hour = start_of_hour(hour)
    with connection.transaction():
        connection.execute(query("statistics_lock"))
        columns = read_hour(connection, hour)
        # Asked after the positions were read: an hour that was dropped meanwhile would look empty.
        if connection.execute(query("statistics_left"), {"hour": hour}).fetchone() is not None:
            return None
        counted = _replace_hour(connection, hour, columns)
        _replace_day(connection, hour.replace(hour=0))
    return counted


def prune(connection: psycopg.Connection, now: datetime) -> int:
    """Removes who was there long ago; the counts stay. Answers with the number of rows."""
    before = start_of_hour(now - PRESENCE_KEPT).replace(hour=0)
    return connection.execute(query("statistics_prune"), {"before": before}).rowcount


def _replace_hour(connection: psycopg.Connection, hour: datetime, columns: Columns) -> Counted:
    connection.execute(query("statistics_clear_hour"), {"hour": hour})
    slices = list(statistics.figures(columns, hour))
    for one in slices:
        row = asdict(one)
        latency, lateness = row.pop("latency"), row.pop("lateness")
        _add(connection, {"period": "hour", "period_start": hour, **row}, latency, lateness)
    cells = statistics.cells(columns)
    with connection.cursor() as cursor:
        with cursor.copy(query("statistics_flights_copy")) as copy:
            for seen in statistics.presences(columns):
                copy.write_row((hour, seen.flight_id, seen.kind, seen.source, seen.reports))
        with cursor.copy(query("statistics_cells_copy")) as copy:
            for cell in cells:
                place = (cell.latitude, cell.longitude, cell.reports, cell.flights)
                copy.write_row(
                    (hour, cell.cell, cell.source, *place, cell.lowest_altitude_ft, cell.highest_altitude_ft)
                )
    everything = slices[0] if slices else None
    return Counted(
        hour=hour,
        reports=everything.reports if everything else 0,
        aircraft=everything.aircraft if everything else 0,
        flights=everything.flights if everything else 0,
        cells=len({cell.cell for cell in cells}),
        slices=slices,
    )


def _replace_day(connection: psycopg.Connection, day: datetime) -> None:
    """The day from its hours; a day whose presences are gone keeps the figures that it has."""
    presence = {(slice_, value): rest for slice_, value, *rest in _rows(connection, "statistics_day_presence", day)}
    hours = _rows(connection, "statistics_day_hours", day)
    if hours and presence["all", None] == [0, 0]:
        return
    connection.execute(query("statistics_clear_day"), {"day": day})
    for (name, value), group in groupby(hours, key=lambda row: row[:2]):
        reports, busiest, late, latencies, latenesses = zip(*(row[2:] for row in group), strict=True)
        aircraft, flights = presence.get((name, value), (0, 0))
        row = {
            "period": "day",
            "period_start": day,
            "slice": name,
            "value": value,
            "reports": sum(reports),
            "aircraft": aircraft,
            "flights": flights,
            "busiest_second_reports": max(busiest),
            "closed_late_reports": sum(late),
            "minute_reports": None,
        }
        _add(connection, row, merged(list(map(np.array, latencies))), merged(list(map(np.array, latenesses))))


def _rows(connection: psycopg.Connection, name: str, day: datetime) -> list[tuple[Any, ...]]:
    return connection.execute(query(name), {"day": day}).fetchall()


def _add(connection: psycopg.Connection, row: dict[str, Any], latency: Array, lateness: Array) -> None:
    percentiles = {f"latency_{name}_ms": percentile(latency, share) for name, share in _SHARES.items()}
    percentiles |= {f"lateness_{name}_ms": percentile(lateness, share) for name, share in _SHARES.items()}
    sketches = {"latency_sketch": latency.tolist(), "lateness_sketch": lateness.tolist()}
    connection.execute(query("statistics_add"), row | percentiles | sketches)


def cells_between(
    connection: psycopg.Connection, from_time: datetime, to_time: datetime
) -> Iterator[tuple[float, float, int]]:
    """Latitude, longitude and reports of each cell in which aircraft were seen."""
    yield from connection.execute(query("statistics_cells_between"), {"from_time": from_time, "to_time": to_time})


def recent_hours(connection: psycopg.Connection, from_time: datetime, to_time: datetime) -> list[dict[str, Any]]:
    """The figures of all reports of each hour of a stretch, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("statistics_hours"), {"from_time": from_time, "to_time": to_time}).fetchall()
