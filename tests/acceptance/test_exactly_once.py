"""The promise: a report that Kafka acknowledged is judged once, and its position is in history exactly once, whatever
process dies and as often as it dies; the live store equals the newest report of each flight."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from flight_platform import kafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import headers_of
from flight_platform.live.client import LiveReader
from flight_platform.model import Position, address_of, icao24_of
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, Header
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from streaming.feed import report_of
from streaming.tracking import Aircraft, Outcome
from tests.processes import StageProcess, new_settings, records, send_reports

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

AIRCRAFT = 60
ROUNDS = 100
STEP_MS = 3000  # 300 s in all: longer than a report is held
KILLS = 5


@dataclass
class Expected:
    """What an undisturbed run gives: (address, time, flight id) of the positions, and the refused reports by reason."""

    positions: set[tuple[str, int, int]]
    refused: Counter[str]


def traffic(start_ms: int) -> list[Position]:
    """Aircraft that fly side by side; now and then a repeat, a report out of order, and a jump."""
    chance = random.Random(7)
    reports: list[Position] = []
    for round_ in range(ROUNDS):
        for number in range(AIRCRAFT):
            report = Position(
                icao24=f"{0x400000 + number:06x}",
                time=start_ms + round_ * STEP_MS + number,
                received_at=start_ms + round_ * STEP_MS + 200,
                latitude=round(40 + round_ * 0.006, 7),
                longitude=round(number * 0.1, 7),
                altitude_ft=35_000,
                ground_speed_kt=430.0,
                callsign=f"TST{number}",
                source="test",
            )
            reports.append(report)
            roll = chance.random()
            if roll < 0.01:
                reports.append(report)
            elif roll < 0.012 and 5 < round_ < ROUNDS // 2:
                reports.append(replace(report, time=report.time + 500, latitude=-report.latitude))
            elif roll < 0.02 and len(reports) > 3 * AIRCRAFT:
                earlier = reports[-2 * AIRCRAFT]
                reports.append(replace(earlier, time=earlier.time + 300))
    return reports


def undisturbed(reports: list[Position]) -> Expected:
    known: dict[str, Aircraft] = {}
    positions: set[tuple[str, int, int]] = set()
    refused: Counter[str] = Counter()
    for report in reports:
        aircraft = known.setdefault(report.icao24, Aircraft(address_of(report.icao24)))
        for verdict in aircraft.judge(report_of(report)):
            if verdict.outcome is Outcome.PASSED:
                positions.add((verdict.report.payload.icao24, verdict.report.time, verdict.flight_id))
            elif verdict.outcome is Outcome.REFUSED:
                refused["implausible"] += 1
    assert not any(aircraft.held for aircraft in known.values()), "every jump is judged before the end"
    return Expected(positions, refused)


class Platform:
    """Track, history and live as processes that can be killed; each comes back under its own name at once."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._running = {name: self._start(name) for name in ("track", "history", "live")}

    def _start(self, name: str) -> StageProcess:
        return StageProcess(name, self._settings, self._folder, f"{name}-1")

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name] = self._start(name)

    def stop(self) -> dict[str, int]:
        return {name: process.terminate() for name, process in self._running.items()}

    def clean_up(self) -> None:
        for process in self._running.values():
            if process.alive:
                process.kill()


def positions_in_history(url: str) -> list[tuple[str, int, int]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT flight_id, round(extract(epoch FROM time) * 1000)::bigint FROM history.positions"
        ).fetchall()
    return [(icao24_of(flight_id >> 32), time_ms, flight_id) for flight_id, time_ms in rows]


def test_kills_in_mid_stream(kafka_bootstrap: str, postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with (
        migrated_database(postgres_server) as urls,
        EmbeddedLive(tmp_path / "live-server", free_port()) as live_server,
    ):
        settings = new_settings(kafka_bootstrap, tile38_urls=(live_server.url,), live_window_s=600, **urls)
        reports = traffic(kafka.now_ms() - ROUNDS * STEP_MS)
        expected = undisturbed(reports)
        assert expected.refused["implausible"] > 0
        platform = Platform(settings, tmp_path)
        try:
            _stream_while_killing(settings, reports, platform)
            wait_until(
                lambda: len(positions_in_history(urls["postgres_url"])) >= len(expected.positions),
                45,
                "all positions in history",
            )
            _check_history(urls["postgres_url"], settings, expected)
            _check_dead_letters(settings, expected)
            wait_until(lambda: _live(settings) == _newest(expected), 15, "live equals the newest report of each flight")
            assert platform.stop() == {"track": 0, "history": 0, "live": 0}
        finally:
            platform.clean_up()


def _stream_while_killing(settings: Settings, reports: list[Position], platform: Platform) -> None:
    """Five times in mid-stream: track and history die, a little apart; undecodable bytes come along."""
    size = -(-len(reports) // KILLS)
    for round_ in range(KILLS):
        part = reports[round_ * size : (round_ + 1) * size]
        send_reports(settings, part[: size // 2])
        done = len(records(settings, TOPIC_POSITIONS))
        if round_ % 2:
            wait_until(lambda done=done: len(records(settings, TOPIC_POSITIONS)) > done, 30, "progress")  # type: ignore[misc]
        platform.kill("history")
        producer = kafka.producer(settings)
        producer.produce(settings.topic(TOPIC_REPORTS), b"\xff not a report", part[0].icao24)
        assert producer.flush(10) == 0
        send_reports(settings, part[size // 2 :])
        platform.kill("track")


def _check_history(url: str, settings: Settings, expected: Expected) -> None:
    found = positions_in_history(url)
    assert len(found) == len(set(found))
    assert set(found) == expected.positions
    with psycopg.connect(url) as connection:
        ranges = connection.execute(
            "SELECT kafka_partition, from_offset, to_offset, rows, repeats, quarantined FROM ops.ledger"
            " ORDER BY kafka_partition, from_offset"
        ).fetchall()
    ends: dict[int, int] = {}
    for partition, start, end, *_ in ranges:
        assert start == ends.get(partition, start), "the ranges of the ledger tile"
        ends[partition] = end
    assert sum(row[3] for row in ranges) == len(found)
    passed = len(records(settings, TOPIC_POSITIONS))
    assert sum(row[3] + row[4] + row[5] for row in ranges) == passed, "the ledger counts what the tracker passed"


def _check_dead_letters(settings: Settings, expected: Expected) -> None:
    letters = [headers_of(message) for message in records(settings, TOPIC_DEAD_LETTERS)]
    reasons = Counter(head[Header.REASON] for head in letters)
    places = {(head[Header.PARTITION], head[Header.OFFSET]) for head in letters}
    assert len(places) == len(letters), "no report is refused twice"
    assert reasons == expected.refused + Counter(undecodable=KILLS)


def _live(settings: Settings) -> dict[int, int]:
    async def read() -> dict[int, int]:
        reader = LiveReader(settings)
        try:
            answer = await reader.all()
        finally:
            await reader.close()
        return {position.flight_id or 0: position.time for position in answer.positions}

    return asyncio.run(read())


def _newest(expected: Expected) -> dict[int, int]:
    newest: dict[int, int] = {}
    for _icao24, time_ms, flight_id in expected.positions:
        newest[flight_id] = max(time_ms, newest.get(flight_id, 0))
    return newest
