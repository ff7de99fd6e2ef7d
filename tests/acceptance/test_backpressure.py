"""The promise: a sink that is down costs no record and no memory, its lag is seen, and live does not replay the past.

How fast what waited is worked off is `python -m bench.backpressure`'s to say: here is only that it is.
"""

import asyncio
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer

from flight_platform import kafka
from flight_platform.codec import encode, stamp_flight_id
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.live.client import LiveReader
from flight_platform.model import Position, address_of, format_flight_id, make_flight_id
from flight_platform.names import TOPIC_POSITIONS
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from tests.processes import StageProcess, new_settings, stage

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

FLIGHTS = 2_000
WARM = 60_000  # three full batches: buffers have found their size
HELD = 200_000  # kept in memory, these would be some 100 MB
FIRST = 0x400000
PAGE_BYTES = 4096


class Flow:
    """Tracked reports into `flight.positions`, a moment of its own for each."""

    def __init__(self, settings: Settings, first_address: int = FIRST) -> None:
        self._settings, self._first = settings, first_address
        self._producer: Producer = kafka.producer(settings, **{"queue.buffering.max.messages": 500_000})
        self._seen_s = kafka.now_ms() // 1000 - 600
        self.sent = 0

    def put(self, count: int) -> int:
        """So many reports, the flights in turn, all within the last second: returns when Kafka has them, with the time
        of the last flight's newest."""
        now_ms = time_ms = kafka.now_ms()
        report = Position(
            icao24="000000",
            time=0,
            received_at=now_ms,
            latitude=50.0,
            longitude=8.0,
            altitude_ft=35_000,
            ground_speed_kt=430.0,
            source="test",
        )
        for number in range(count):
            icao24 = f"{self._first + number % FLIGHTS:06x}"
            time_ms = now_ms - 1000 + number // FLIGHTS
            flight_id = make_flight_id(address_of(icao24), self._seen_s)
            value = stamp_flight_id(encode(replace(report, icao24=icao24, time=time_ms)), flight_id)
            partition = kafka.partition_of(icao24, 4)
            self._producer.produce(self._settings.topic(TOPIC_POSITIONS), value, format_flight_id(flight_id), partition)
            if number % 1000 == 0:
                self._producer.poll(0)
        assert self._producer.flush(30) == 0
        self.sent += count
        return time_ms


def memory_bytes(process: StageProcess) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * PAGE_BYTES


def lag(settings: Settings) -> float:
    """What the process's metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("flight_consumer_lag_records{"))


def highest_while(process: StageProcess, done: Callable[[], bool], timeout_s: float, what: str) -> int:
    """The most memory that the process was seen to have until `done`."""
    highest = 0

    def look() -> bool:
        nonlocal highest
        highest = max(highest, memory_bytes(process))
        return done()

    wait_until(look, timeout_s, what)
    return highest


def in_history(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM history.positions").fetchone()
    assert row is not None
    return int(row[0])


def in_live(settings: Settings) -> dict[str, int]:
    """The time of each flight that is shown."""

    async def read() -> dict[str, int]:
        reader = LiveReader(settings)
        try:
            return {position.icao24: position.time for position in (await reader.all()).positions}
        finally:
            await reader.close()

    return asyncio.run(read())


def test_postgres_is_down(kafka_bootstrap: str, server_folder: Path, tmp_path: Path) -> None:
    with (
        EmbeddedPostgres(server_folder / "postgres-backpressure", free_port(), durable=False) as postgres,
        migrated_database(postgres) as urls,
    ):
        settings = new_settings(kafka_bootstrap, metrics_port=free_port(), **urls)
        flow = Flow(settings)
        with stage("history", settings, tmp_path) as history:
            flow.put(WARM)
            wait_until(lambda: in_history(urls["postgres_url"]) == flow.sent, 40, "it writes")
            before = memory_bytes(history)
            postgres.kill()
            flow.put(HELD)
            highest = highest_while(history, lambda: lag(settings) >= HELD, 30, "the lag is seen")
            # Several tries of an outage: what a try leaves behind would add up.
            tries = history.said("postgres_unavailable") + 3
            highest = max(
                highest, highest_while(history, lambda: history.said("postgres_unavailable") >= tries, 40, "tries")
            )
            assert highest <= before * 1.10, f"{before:,} bytes before, {highest:,} while it held"
            postgres.start()
            postgres.wait_ready()
            wait_until(lambda: in_history(urls["postgres_url"]) == flow.sent, 60, "nothing is dropped")
            wait_until(lambda: lag(settings) == 0, 10, "it has caught up")
            assert history.terminate() == 0


def test_the_live_server_is_down(kafka_bootstrap: str, postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with (
        migrated_database(postgres_server) as urls,
        EmbeddedLive(tmp_path / "live-server", free_port()) as server,
    ):
        settings = new_settings(
            kafka_bootstrap, metrics_port=free_port(), tile38_urls=(server.url,), live_window_s=300, **urls
        )
        flow = Flow(settings)
        with stage("live", settings, tmp_path) as live:
            flow.put(WARM)
            wait_until(lambda: len(in_live(settings)) == FLIGHTS, 30, "it writes")
            wait_until(lambda: lag(settings) == 0, 10, "all is read")
            before = memory_bytes(live)
            server.kill()
            newest_ms = flow.put(HELD)
            highest = highest_while(live, lambda: lag(settings) == 0, 30, "it folds in memory and does not fall behind")
            assert highest <= before * 1.10, f"{before:,} bytes before, {highest:,} while the server was away"
            server.start()
            server.wait_ready()
            wait_until(lambda: len(in_live(settings)) == FLIGHTS, 20, "the server is filled")
            assert set(in_live(settings).values()) == {newest_ms}, "with the newest report of each flight"
            assert live.terminate() == 0


def test_live_skips_what_is_older_than_the_window(
    kafka_bootstrap: str, postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    with (
        migrated_database(postgres_server) as urls,
        EmbeddedLive(tmp_path / "live-server", free_port()) as server,
    ):
        window_s = 4
        settings = new_settings(
            kafka_bootstrap, metrics_port=free_port(), tile38_urls=(server.url,), live_window_s=window_s, **urls
        )
        old, new = Flow(settings), Flow(settings, FIRST + 10 * FLIGHTS)
        with stage("live", settings, tmp_path) as live:
            wait_until(lambda: live.said("partitions_assigned"), 30, "it follows")
            live.suspend()
            old.put(FLIGHTS)
            too_old_at = kafka.now_ms() + window_s * 1000
            wait_until(lambda: kafka.now_ms() > too_old_at, 10)
            new.put(FLIGHTS)
            live.resume()
            seen: set[str] = set()

            def all_new_are_shown() -> bool:
                seen.update(in_live(settings))
                return len([icao24 for icao24 in seen if int(icao24, 16) >= FIRST + 10 * FLIGHTS]) == FLIGHTS

            wait_until(all_new_are_shown, 15, "the present is shown")
            assert len(seen) == FLIGHTS, "and nothing of the past"
            assert live.terminate() == 0
