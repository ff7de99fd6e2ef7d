"""A transaction that nobody ends holds readers back in its partition alone: they say so, and get on when it is over."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from flight_platform import kafka
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.layout import LayoutWatch
from flight_platform.live.writer import LiveWriter
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from flight_platform.watch.heartbeats import Heartbeat
from flight_platform.watch.standstill import SHORT_S, Standstill
from streaming.live import LiveConsumer
from streaming.track import Tracker
from tests.processes import new_settings

pytestmark = pytest.mark.integration

STUCK = 1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def hold_back(settings: Settings, topic: str) -> Producer:
    """Begins a transaction in one partition, and writes past it in all."""
    hanging = kafka.producer(settings, **{"transactional.id": "hangs", "transaction.timeout.ms": 600_000})
    hanging.init_transactions(30)
    hanging.begin_transaction()
    hanging.produce(topic, b"never seen", partition=STUCK)
    assert hanging.flush(30) == 0
    others = kafka.producer(settings)
    for partition in range(settings.kafka_partitions):
        others.produce(topic, b"no report", partition=partition)
    assert others.flush(30) == 0
    return hanging


def consume(settings: Settings, topic: str, run: Callable[[Heartbeat, threading.Event, LayoutWatch], None]) -> None:
    """Runs a consumer through it, and reads what its heartbeat would say."""
    clock, stop = Clock(), threading.Event()
    beat = Heartbeat(settings, Stage.TRACK)
    beat.partitions = Standstill(clock)
    with LayoutWatch(settings) as watch:
        hanging = hold_back(settings, topic)
        consumer = threading.Thread(target=run, args=(beat, stop, watch))
        consumer.start()
        try:
            wait_until(lambda: beat.lag_records == 2, 60, "it has all that is not held back")
            clock.now += 2 * SHORT_S
            wait_until(
                lambda: list(beat.partitions.concerns()) == [f"partition {STUCK}"], 60, "it says what stands still"
            )
            hanging.commit_transaction(30)
            wait_until(lambda: beat.lag_records == 0, 60, "it gets on, and markers are no records")
            clock.now += 2 * SHORT_S
            wait_until(lambda: not beat.partitions.concerns(), 60, "it has nothing before it")
        finally:
            stop.set()
            consumer.join(60)


def test_the_tracker_says_which_partition_stands_still(kafka_bootstrap: str) -> None:
    settings = new_settings(kafka_bootstrap)

    def track(beat: Heartbeat, stop: threading.Event, watch: LayoutWatch) -> None:
        tracker = Tracker(settings, beat, watch)
        try:
            tracker.run(stop)
        finally:
            tracker.close()

    consume(settings, settings.topic(TOPIC_REPORTS), track)


def test_live_says_which_partition_stands_still(kafka_bootstrap: str, tmp_path: Path) -> None:
    with EmbeddedLive(tmp_path / "live", free_port(), "stand-in") as server:
        settings = new_settings(kafka_bootstrap, tile38_urls=server.url)

        def live(beat: Heartbeat, stop: threading.Event, watch: LayoutWatch) -> None:
            extra = {"enable.partition.eof": True, **kafka.PREFETCH}
            consumer = kafka.consumer(settings, group=settings.group(Stage.LIVE), **extra)
            LiveConsumer(settings, beat, stop, consumer, LiveWriter(settings), watch).run()

        consume(settings, settings.topic(TOPIC_POSITIONS), live)
