"""The live consumer between a real Kafka and real live servers: the store equals the newest report of each flight."""

import asyncio
import random
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from flight_platform import kafka
from flight_platform.codec import encode
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive, Kind
from flight_platform.kafka import partition_of
from flight_platform.live.client import LiveAnswer, LiveReader
from flight_platform.live.connection import Connection
from flight_platform.live.shards import parse_shards
from flight_platform.model import Position, format_flight_id
from flight_platform.names import TOPIC_POSITIONS
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from tests.integration.live.samples import sample
from tests.processes import new_settings, stage

pytestmark = pytest.mark.integration

HEAL_S = 5.0  # what the platform promises, at HEAL_FLIGHTS flights
HEAL_FLIGHTS = 15_000


class Traffic:
    """What is sent, and apart from the consumer's own code, what the live store has to hold for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = kafka.producer(settings)
        self.newest: dict[int, Position] = {}

    def send(self, positions: Iterable[Position]) -> None:
        """Puts reports into `flight.positions` as the tracker does, and waits until Kafka has them."""
        topic, partitions = self._settings.topic(TOPIC_POSITIONS), self._settings.kafka_partitions
        window_ms = self._settings.live_window_s * 1000
        for position in positions:
            flight_id = position.flight_id or 0
            self._producer.produce(
                topic,
                encode(position),
                format_flight_id(flight_id),
                partition=partition_of(position.icao24, partitions),
            )
            self._producer.poll(0)
            known = self.newest.get(flight_id)
            fresh = position.time > kafka.now_ms() - window_ms
            if fresh and (known is None or position.time > known.time):
                self.newest[flight_id] = position
        assert self._producer.flush(30) == 0

    def expected(self) -> list[Position]:
        return [self.newest[flight_id] for flight_id in sorted(self.newest)]


def random_reports(count: int, flights: int, seed: int) -> list[Position]:
    """Reports of the last seconds in no order, with repeats of times, and some that are too old."""
    pick, now_ms = random.Random(seed), kafka.now_ms()
    ages = [pick.choice((pick.randrange(3000), pick.randrange(3000), 1000, 90_000)) for _ in range(count)]
    return [sample(pick.randrange(flights), now_ms - age, altitude_ft=n) for n, age in enumerate(ages)]


def answer_of(settings: Settings) -> LiveAnswer:
    async def ask() -> LiveAnswer:
        reader = LiveReader(settings)
        try:
            return await reader.all()
        finally:
            await reader.close()

    return asyncio.run(ask())


def wait_for(settings: Settings, traffic: Traffic, timeout_s: float, what: str) -> LiveAnswer:
    """Waits until the live store says that it is whole, and holds exactly what it should."""
    answer = answer_of(settings)

    def equal() -> bool:
        nonlocal answer
        answer = answer_of(settings)
        return not answer.partial and answer.positions == traffic.expected()

    try:
        wait_until(equal, timeout_s, what)
    except TimeoutError:
        held = {position.flight_id: position for position in answer.positions}
        wrong = {f for f in held.keys() | traffic.newest.keys() if held.get(f) != traffic.newest.get(f or 0)}
        pytest.fail(f"{what}: {len(wrong)} of {len(traffic.newest)} flights differ, missing {answer.missing}")
    return answer


@pytest.mark.alone
def test_it_holds_the_newest_report_of_each_flight(
    kafka_bootstrap: str, live_server: EmbeddedLive, tmp_path: Path
) -> None:
    settings = new_settings(kafka_bootstrap, tile38_urls=live_server.url, live_window_s=60)
    traffic = Traffic(settings)
    traffic.send(random_reports(3000, 200, seed=1))
    with stage("live", settings, tmp_path) as live:
        answer = wait_for(settings, traffic, 60, "what was there before the consumer")
        assert answer.watermark_ms == max(position.time for position in traffic.expected())
        traffic.send(random_reports(3000, 300, seed=2))
        wait_for(settings, traffic, 30, "what came afterwards")

        with closing(Connection(*parse_shards([live_server.url]))) as connection:
            connection.ask([("FLUSHDB",)])
        wait_for(settings, traffic, HEAL_S, "an emptied server")

        live_server.kill()
        traffic.send(random_reports(500, 300, seed=3))
        live_server.start()
        live_server.wait_ready()
        wait_for(settings, traffic, HEAL_S, "a server that was killed")

        assert live.terminate() == 0
    assert live.said("live_server_away") == 1, "an outage is said once"


@pytest.mark.alone
def test_a_server_that_dies_changes_no_answer_and_is_filled_again_within_five_seconds(
    kafka_bootstrap: str, live_kind: Kind, tmp_path: Path
) -> None:
    """Two servers, two copies: one dies, reports go on, it comes back empty."""
    with (
        EmbeddedLive(tmp_path / "a", free_port(), live_kind) as stays,
        EmbeddedLive(tmp_path / "b", free_port(), live_kind) as dies,
    ):
        settings = new_settings(
            kafka_bootstrap, tile38_urls=f"{stays.url},{dies.url}", tile38_copies=2, live_window_s=120
        )
        traffic = Traffic(settings)
        traffic.send(sample(number, kafka.now_ms()) for number in range(HEAL_FLIGHTS))
        with stage("live", settings, tmp_path) as live:
            wait_for(settings, traffic, 60, "all flights")
            dies.kill()
            answer = answer_of(settings)
            assert (answer.positions, answer.partial) == (traffic.expected(), False)
            traffic.send(sample(number, kafka.now_ms()) for number in range(500))
            wait_for(settings, traffic, 30, "one server away")
            dies.start()
            dies.wait_ready()
            # Counted, not read: reading 15,000 flights again and again would be the load that is measured.
            with closing(Connection(*parse_shards([dies.url]))) as connection:
                count = ("SCAN", "flights", "COUNT")
                wait_until(lambda: connection.ask([count]) == [HEAL_FLIGHTS], HEAL_S, "all flights to be back")
            stays.kill()
            wait_for(settings, traffic, 10, "the one that came back has all of it")
            assert live.terminate() == 0


def test_a_killed_consumer_is_replaced_and_nothing_older_stays(kafka_bootstrap: str, tmp_path: Path) -> None:
    """Two consumers share the partitions; one is killed in mid-stream, the other takes over all of them."""
    with EmbeddedLive(tmp_path / "live", free_port()) as server:
        settings = new_settings(kafka_bootstrap, tile38_urls=server.url, live_window_s=120)
        traffic, stop = Traffic(settings), threading.Event()

        def fly() -> None:
            second = 0
            while not stop.is_set():
                now_ms = kafka.now_ms()
                reports = [sample(number, now_ms, altitude_ft=second) for number in range(100)]
                older = [replace(report, time=report.time - 2500, altitude_ft=-1) for report in reports]
                traffic.send(reports + older)
                second += 1
                stop.wait(0.1)

        with stage("live", settings, tmp_path) as doomed, stage("live", settings, tmp_path) as heir:
            wait_until(lambda: doomed.said("partitions_assigned") and heir.said("partitions_assigned"), 60, "sharing")
            flying = threading.Thread(target=fly)
            flying.start()
            time.sleep(0.5)  # in mid-stream
            doomed.kill()
            time.sleep(0.5)
            stop.set()
            flying.join()
            answer = wait_for(settings, traffic, 60, "the partitions of the killed consumer")
            assert len(answer.positions) == 100
            assert heir.terminate() == 0
