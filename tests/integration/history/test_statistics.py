"""Statistics in Postgres: hours and days that add up, however often and in whatever order they are counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from flight_platform.history.statistics_tables import cells_between, count_hour, prune, recent_hours
from flight_platform.model import Kind
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

DAY = datetime(2026, 9, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
TABLES = [sql.Identifier("history", name) for name in ("statistics", "statistics_flights", "statistics_cells")]


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def some_flights(connection: psycopg.Connection) -> None:
    """A flight at two hours, from two sources at the second; another at the second hour alone."""
    born = seconds(DAY + 10 * HOUR + timedelta(minutes=55))
    fill(
        connection,
        [
            report(
                "4ca001", born, born * 1000 + n * 1_000, source="paris" if n < 310 else "lyon", kind=kind, latitude=50.0
            )
            for n, kind in ((n, Kind.ADSB if n % 2 else Kind.MLAT) for n in range(600))
        ]
        + [report("4ca002", born + 400, (born + 400 + n) * 1000, source="lyon", latitude=50.0) for n in range(50)],
    )


def everything(connection: psycopg.Connection) -> list[Any]:
    """All that is kept, save when it was computed."""
    found = []
    for table in TABLES:
        rows = connection.execute(sql.SQL("SELECT to_jsonb(t) - 'computed_at' FROM {} AS t").format(table)).fetchall()
        found.append(sorted(str(row) for row in rows))
    return found


def slices(analyst: psycopg.Connection, period: str) -> dict[tuple[Any, ...], tuple[int, ...]]:
    rows = analyst.execute(
        "SELECT period_start, slice, value, reports, aircraft, flights FROM statistics WHERE period = %s", [period]
    )
    return {(start, name, value): (reports, *who) for start, name, value, reports, *who in rows}


def test_hours_and_their_day(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    some_flights(connection)
    first, second = (count_hour(connection, DAY + hours * HOUR) for hours in (10, 11))
    assert first is not None
    assert second is not None
    assert (first.reports, first.aircraft, first.cells) == (300, 1, 1)
    assert (second.reports, second.aircraft, second.flights) == (350, 2, 2)
    hours = slices(analyst, "hour")
    assert hours[DAY + 10 * HOUR, "all", None] == (300, 1, 1)
    assert hours[DAY + 11 * HOUR, "source", "paris"] == (10, 1, 1)
    assert hours[DAY + 11 * HOUR, "source", "lyon"] == (340, 2, 2)
    assert slices(analyst, "day") == {
        (DAY, "all", None): (650, 2, 2),
        (DAY, "source", "paris"): (310, 1, 1),
        (DAY, "source", "lyon"): (340, 2, 2),
        (DAY, "kind", "adsb"): (350, 2, 2),
        (DAY, "kind", "mlat"): (300, 1, 1),
    }
    assert [row["reports"] for row in recent_hours(connection, DAY, DAY + 24 * HOUR)] == [300, 350]
    assert sum(reports for *_, reports in cells_between(connection, DAY, DAY + 24 * HOUR)) == 650


def test_a_chart_has_rates_percentiles_and_cells(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    some_flights(connection)
    count_hour(connection, DAY + 10 * HOUR)
    minutes = analyst.execute(
        "SELECT minute, reports FROM statistics_minutes WHERE hour = %s AND slice = 'all' ORDER BY minute",
        [DAY + 10 * HOUR],
    ).fetchall()
    assert [reports for _, reports in minutes] == [0] * 55 + [60] * 5
    assert minutes[-1][0] == DAY + 10 * HOUR + timedelta(minutes=59)
    found = analyst.execute(
        "SELECT latency_p50_ms, lateness_p99_ms, reports_per_second, busiest_second_reports FROM statistics"
        " WHERE period = 'hour' AND slice = 'all'"
    ).fetchone()
    assert found is not None
    assert found[0] == pytest.approx(700, rel=0.02)
    assert found[1:] == (0, pytest.approx(300 / 3600), 1)
    cell = analyst.execute("SELECT cell, source, reports, lowest_altitude_ft FROM statistics_cells").fetchall()
    assert [(source, reports, lowest) for _, source, reports, lowest in cell] == [("paris", 300, 30_000)]
    assert cell[0][0].startswith("85")  # H3 as it writes a cell of resolution 5


def test_repeating_in_any_order_changes_nothing(connection: psycopg.Connection) -> None:
    some_flights(connection)
    for hours in (10, 11):
        count_hour(connection, DAY + hours * HOUR)
    once = everything(connection)
    for hours in (11, 10, 11):
        count_hour(connection, DAY + hours * HOUR)
    assert everything(connection) == once


def test_late_rows_are_counted_the_next_time(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    some_flights(connection)
    count_hour(connection, DAY + 10 * HOUR)
    late = seconds(DAY + 10 * HOUR) * 1000
    fill(connection, [report("4ca003", late // 1000, late, received_at=late + 3 * 3_600_000)])
    count_hour(connection, DAY + 10 * HOUR)
    assert slices(analyst, "day")[DAY, "all", None] == (301, 2, 2)
    assert analyst.execute(
        "SELECT closed_late_reports FROM statistics WHERE period = 'day' AND slice = 'all'"
    ).fetchone() == (1,)


def test_an_hour_that_has_left_the_database_keeps_its_figures(connection: psycopg.Connection) -> None:
    some_flights(connection)
    count_hour(connection, DAY + 10 * HOUR)
    before = everything(connection)
    connection.execute("DELETE FROM history.positions")
    connection.execute("INSERT INTO ops.hours (hour, dropped_at) VALUES (%s, now())", [DAY + 10 * HOUR])
    assert count_hour(connection, DAY + 10 * HOUR) is None
    assert everything(connection) == before
    connection.execute("UPDATE ops.hours SET restored_at = dropped_at + interval '1 hour'")
    assert count_hour(connection, DAY + 10 * HOUR) is not None


def test_an_empty_hour_leaves_no_row(connection: psycopg.Connection) -> None:
    counted = count_hour(connection, DAY)
    assert counted is not None
    assert (counted.reports, counted.slices) == (0, [])
    assert everything(connection) == [[], [], []]


def test_who_was_there_is_removed_and_the_counts_stay(
    connection: psycopg.Connection, analyst: psycopg.Connection
) -> None:
    some_flights(connection)
    for hours in (10, 11):
        count_hour(connection, DAY + hours * HOUR)
    before = slices(analyst, "day")
    assert prune(connection, DAY + timedelta(days=90)) == 0
    assert prune(connection, DAY + timedelta(days=92)) == 7
    assert slices(analyst, "day") == before
