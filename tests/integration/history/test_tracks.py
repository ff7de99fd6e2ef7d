"""A track is whole and in order, and tells each position once, wherever its positions are and whatever moves them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from flight_platform.codec import to_record
from flight_platform.history import queries, tracks
from flight_platform.history.compaction import compact_hour
from flight_platform.history.partitions import HOUR
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Emergency, Kind, Position
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import HOUR_MS, report

pytestmark = pytest.mark.integration

START_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS
START = datetime.fromtimestamp(START_MS / 1000, UTC)
BORN_S = START_MS // 1000
HOURS = [START, START + HOUR, START + 2 * HOUR]
NOW = START + timedelta(hours=5)


def flown() -> list[Position]:
    """A flight of three hours, in two feeds' words: chunks of one hour overlap, and much is unknown now and then."""
    return [
        report(
            "4ca001",
            BORN_S,
            START_MS + number * 90_000 + number,
            source="paris" if number % 2 else "rome",
            altitude_ft=None if number % 7 == 0 else number * 100,
            ground_speed_kt=None if number % 5 == 0 else number + 0.3,
            callsign=None if number < 30 else "BAW12",
            squawk=None,
            on_ground=number < 10,
            kind=Kind.MLAT if number > 90 else None,
            emergency=Emergency.MEDICAL if number > 100 else None,
        )
        for number in range(119)
    ]


def told(database: DatabaseUrls, flight_id: int, portion: int, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(queries, "PORTION", portion)
    monkeypatch.setattr(tracks, "UNPACKED", 3)

    async def whole() -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(database["postgres_url"]) as connection:
            return [dict(row) async for rows in queries.track(connection, flight_id) for row in rows]

    return asyncio.run(whole())


def expected(positions: list[Position]) -> list[dict[str, Any]]:
    records = [to_record(position) for position in sorted(positions, key=lambda position: position.time)]
    for record in records:
        record.update({name: datetime.fromisoformat(record[name]) for name in ("time", "received_at")})
    return records


@pytest.mark.parametrize("portion", [1, 10, 1000])
@pytest.mark.parametrize("compacted", [0, 2, 3], ids=["raw", "both", "chunks"])
def test_a_track_is_whole_however_it_is_stored(
    connection: psycopg.Connection,
    database: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    compacted: int,
    portion: int,
) -> None:
    positions = flown()
    late = positions[3::11]
    fill(connection, [position for position in positions if position not in late])
    for hour in HOURS[:compacted]:
        record_verdict(connection, hour, passed=True, rows=1, failures=[])
        assert compact_hour(connection, hour, NOW).moved
    fill(connection, [*late, report("4ca002", BORN_S, START_MS)])
    flight_id = positions[0].flight_id
    assert flight_id is not None
    assert told(database, flight_id, portion, monkeypatch) == expected(positions)


@pytest.mark.parametrize("portion", [10, 1000])
def test_what_compaction_moves_meanwhile_is_told_once(
    connection: psycopg.Connection, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    positions = flown()
    fill(connection, positions)
    record_verdict(connection, HOURS[1], passed=True, rows=1, failures=[])
    packed = tracks._packed

    async def just_compacted(*question: Any) -> list[bytes]:
        monkeypatch.setattr("flight_platform.history.compaction.PATIENCE_S", 0.0)  # the reader is in its transaction
        assert compact_hour(connection, HOURS[1], NOW).moved
        return await packed(*question)

    monkeypatch.setattr(tracks, "_packed", just_compacted)
    flight_id = positions[0].flight_id
    assert flight_id is not None
    assert told(database, flight_id, portion, monkeypatch) == expected(positions)


def test_a_flight_that_is_not_there_has_no_track(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(database, 1 << 40, 10, monkeypatch) == []
