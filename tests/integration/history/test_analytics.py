"""What analysts see: the documented names and units, what prunes, and that there is no way out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from flight_platform.codec import to_record
from flight_platform.flights.airports import Airports
from flight_platform.history.flights import derive_hour
from flight_platform.history.partitions import HOUR, ensure_ahead, ensure_chunk_day, start_of_hour
from flight_platform.model import Emergency, Kind, format_flight_id, make_flight_id, parse_flight_id
from tests.integration.history.filling import fill
from tests.integration.history.reports import report, stream

pytestmark = pytest.mark.integration

NOW = datetime(2026, 9, 21, 14, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
START = start_of_hour(NOW)


def test_positions_have_the_documented_names_and_values(
    connection: psycopg.Connection, analyst: psycopg.Connection
) -> None:
    known = [
        report("~4ca001", NOW_MS // 1000, NOW_MS + n, kind=kind, emergency=emergency, latitude=-0.0000001 * n)
        for n, (kind, emergency) in enumerate(zip(Kind, [*Emergency, None], strict=True))
    ]
    nothing = dict.fromkeys(
        ("altitude_ft", "geometric_altitude_ft", "on_ground", "ground_speed_kt", "track_deg", "vertical_rate_fpm")
    ) | dict.fromkeys(("callsign", "squawk", "emergency", "kind", "source"))
    positions = [*known, report("4ca002", NOW_MS // 1000, NOW_MS, **nothing)]
    fill(connection, positions)
    cursor = analyst.execute("SELECT * FROM positions ORDER BY flight_key DESC, time")
    names = [column.name for column in cursor.description or []]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    expected = [to_record(position) for position in positions]
    for record, position in zip(expected, positions, strict=True):
        record.update({name: datetime.fromisoformat(record[name]) for name in ("time", "received_at")})
        record.update({"hour": START, "flight_key": position.flight_id})
    assert found == expected


def test_flight_ids_are_those_of_the_platform(analyst: psycopg.Connection) -> None:
    for address, second in ((0, 0), (0x3C6444, 0x67A1B2C3), (0x1FFFFFF, 0xFFFFFFFF), (0x1000001, 1)):
        number = make_flight_id(address, second)
        text = format_flight_id(number)
        assert parse_flight_id(text) == number
        found = analyst.execute("SELECT flight_id_text(%s::bigint), flight_key(%s)", [number, text]).fetchone()
        assert found == (text, number)
    for wrong in ("", "3c6444", "3C6444-67a1b2c3", "3c6444-67a1b2c33", "~~3c644-67a1b2c3", None):
        assert analyst.execute("SELECT flight_key(%s::text)", [wrong]).fetchone() == (None,)


def leaves(
    analyst: psycopg.Connection, statement: str, parameters: list[Any] | None = None, leaf: str = r"positions_\d{10}"
) -> int:
    """How many leaves a statement reads."""
    plan = analyst.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
    return len({word for (line,) in plan for word in line.split() if re.fullmatch(leaf, word)})


def days(analyst: psycopg.Connection, statement: str, parameters: list[Any] | None = None) -> int:
    """How many days of chunks a statement reads."""
    return leaves(analyst, statement, parameters, leaf=r"chunks_\d{8}")


def test_what_prunes(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    """A constant range of time or hour, positions_between() and track(); not an hour that only execution knows."""
    ensure_ahead(connection, NOW, days=2)
    everything = leaves(analyst, "SELECT * FROM positions")
    assert everything == 50
    assert leaves(analyst, "SELECT * FROM positions WHERE hour = %s", [START]) == 1
    assert leaves(analyst, "SELECT * FROM positions WHERE hour >= %s AND hour < %s", [START, START + 3 * HOUR]) == 3
    assert leaves(analyst, "SELECT * FROM positions WHERE hour BETWEEN %s AND %s", [START, START + HOUR]) == 2
    assert leaves(analyst, "SELECT * FROM positions WHERE hour IN (%s, %s)", [START, START + 9 * HOUR]) == 2
    assert leaves(analyst, "SELECT * FROM positions WHERE time >= %s AND time < %s", [START, START + HOUR]) == 1
    assert leaves(analyst, "SELECT * FROM positions_between(%s, %s)", [NOW, NOW + HOUR]) == 2
    assert leaves(analyst, "SELECT count(*) FROM positions WHERE hour = %s AND flight_key = 5", [START]) == 1
    born = f"4ca001-{int((NOW + 3 * HOUR).timestamp()):08x}"
    assert leaves(analyst, "SELECT * FROM track(%s)", [born]) == 37
    plan = str(analyst.execute("EXPLAIN SELECT * FROM track(%s)", [born]).fetchall())
    assert "Index Cond" in plan
    assert "Seq Scan" not in plan
    assert leaves(analyst, "SELECT * FROM positions WHERE hour = date_trunc('hour', now())") == everything


def test_what_prunes_chunks(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    """An hour of positions, positions_between() and track() read the days that they touch; by index, where they can."""
    for day in range(6):
        ensure_chunk_day(connection, NOW + timedelta(days=day))
    assert days(analyst, "SELECT * FROM positions") == 6
    assert days(analyst, "SELECT * FROM positions WHERE hour = %s", [START]) == 1
    assert days(analyst, "SELECT * FROM positions WHERE hour >= %s AND hour < %s", [START, START + 24 * HOUR]) == 2
    assert days(analyst, "SELECT * FROM positions_between(%s, %s)", [NOW, NOW + HOUR]) == 1
    born = f"4ca001-{int((NOW + 3 * HOUR).timestamp()):08x}"
    assert days(analyst, "SELECT * FROM track(%s)", [born]) == 3
    plan = [line for (line,) in analyst.execute("EXPLAIN SELECT * FROM track(%s)", [born])]
    pushed = [line for line in plan if "flight_id = " in line]
    assert len(pushed) == 3, plan  # no chunk of another flight is opened


def test_each_view_answers(connection: psycopg.Connection, analyst: psycopg.Connection) -> None:
    fill(connection, stream(3, 5, NOW_MS))
    last = NOW + timedelta(seconds=4)
    derive_hour(connection, START, Airports([]), NOW + HOUR)
    flight = analyst.execute(
        "SELECT flight_id, icao24, callsign, first_time, last_time, positions, max_altitude_ft, max_ground_speed_kt,"
        " flight_key FROM flights ORDER BY flight_id LIMIT 1"
    ).fetchone()
    key = make_flight_id(0x400000, NOW_MS // 1000)
    assert flight == (format_flight_id(key), "400000", "TEST123", NOW, last, 5, 30_000, 420.5, key)
    born = format_flight_id(key)
    assert analyst.execute("SELECT count(*), min(time), max(time) FROM track(%s)", [born]).fetchone() == (5, NOW, last)
    assert analyst.execute("SELECT hour, leaf, state FROM coverage").fetchall() == [
        (START, "positions_2026092114", "raw")
    ]
    assert analyst.execute("SELECT records, rows FROM ingest_ledger").fetchall() == [(15, 15)]
    for view in ("airports", "aircraft", "gaps"):
        assert analyst.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(view))).fetchone() == (0,)
