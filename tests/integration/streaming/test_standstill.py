"""What a partition stands still for: a transaction that nobody ends, and nobody who reads it."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition

from flight_platform import kafka
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.layout import LayoutWatch
from flight_platform.live.writer import LiveWriter
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watch.heartbeats import Heartbeat
from flight_platform.watch.standstill import SHORT_S, UNREAD, Standstill, told
from flight_platform.watch.unread import Outside
from streaming.live import LiveConsumer
from streaming.process import running
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


READ, LEFT, MARKERS = 0, 1, 2


def fill(settings: Settings, topic: str) -> None:
    """A record in each of two partitions, and in a third one nothing but a transaction that was given up."""
    given_up = kafka.producer(settings, **{"transactional.id": f"{topic} given up"})
    given_up.init_transactions(30)
    given_up.begin_transaction()
    given_up.produce(topic, b"no report", partition=MARKERS)
    assert given_up.flush(30) == 0
    given_up.abort_transaction(30)
    producer = kafka.producer(settings)
    for partition in (READ, LEFT):
        producer.produce(topic, b"no report", partition=partition)
    assert producer.flush(30) == 0


def left_unread(outside: Outside) -> list[int]:
    """What a heartbeat would say after two looks that lie far apart."""
    clock = Clock()
    standstill = Standstill(clock, outside=True)
    for _ in range(2):
        clock.now += 2 * SHORT_S
        standstill.look(outside.places())
    return list(told(standstill.concerns(), UNREAD))


@pytest.mark.parametrize(("stage", "name"), [(Stage.TRACK, TOPIC_REPORTS), (Stage.LIVE, TOPIC_POSITIONS)])
def test_a_partition_that_no_process_of_a_group_reads_is_seen_by_any(
    kafka_bootstrap: str, stage: Stage, name: str
) -> None:
    settings = new_settings(kafka_bootstrap)
    topic = settings.topic(name)
    fill(settings, topic)
    with closing(kafka.consumer(settings, group=settings.group(stage))) as member:
        member.commit(offsets=[TopicPartition(topic, READ, 1)], asynchronous=False)
        with closing(Outside(settings, stage)) as outside:
            assert left_unread(outside) == [LEFT]
            member.commit(offsets=[TopicPartition(topic, LEFT, 1)], asynchronous=False)
            assert left_unread(outside) == []


def test_each_process_tells_of_it_with_its_heartbeat(kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = new_settings(kafka_bootstrap)
    fill(settings, settings.topic(TOPIC_REPORTS))
    monkeypatch.setattr("flight_platform.watch.unread._EVERY_S", 0.01)
    with running(settings, Stage.TRACK) as process:  # it joins no group
        clock = Clock()
        process.beat.unread = Standstill(clock, outside=True)

        def unread() -> list[int]:
            clock.now += 1
            return list(told(process.beat.unread.concerns(), UNREAD))

        wait_until(lambda: unread() == [READ, LEFT], 60, "it has looked for long enough")


def test_of_history_postgres_knows_what_is_read(kafka_bootstrap: str, database: DatabaseUrls) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    topic = settings.topic(TOPIC_POSITIONS)
    fill(settings, topic)
    with closing(kafka.consumer(settings, group=settings.group(Stage.HISTORY))) as member:
        ends = [TopicPartition(topic, partition, 2) for partition in (READ, LEFT, MARKERS)]
        member.commit(offsets=ends, asynchronous=False)
    connection = psycopg.connect(database["postgres_url"], autocommit=True)
    with closing(connection), closing(Outside(settings, Stage.HISTORY)) as outside:
        connection.execute("INSERT INTO ops.offsets VALUES (%s, %s, 1)", [topic, READ])
        assert left_unread(outside) == [LEFT]
        connection.execute("INSERT INTO ops.offsets VALUES (%s, %s, 1)", [topic, LEFT])
        assert left_unread(outside) == []


def test_without_kafka_or_postgres_nothing_is_told(kafka_bootstrap: str) -> None:
    settings = new_settings(kafka_bootstrap)
    with closing(Outside(settings, Stage.HISTORY)) as outside, pytest.raises(psycopg.OperationalError):
        outside.places()
    away = settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})
    with closing(Outside(away, Stage.TRACK)) as outside, pytest.raises(KafkaException):
        outside.places()
