"""How far Kafka is read, on a real broker: by the records that nobody has read, not by offsets; and refusals."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import psycopg
import pytest
from confluent_kafka import TopicPartition

from flight_platform import kafka
from flight_platform.history.progress import progress
from flight_platform.history.refusals import refused_between
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, Header
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until

pytestmark = pytest.mark.integration

_PLATFORMS: Final = count()


@pytest.fixture
def settings(kafka_bootstrap: str, database: DatabaseUrls) -> Settings:
    """Two partitions of a platform of the test's own."""
    prefix = f"progress{next(_PLATFORMS)}."
    made = Settings.read(kafka_bootstrap=kafka_bootstrap, kafka_topic_prefix=prefix, kafka_partitions=2, **database)
    kafka.ensure_topics(made)
    return made


def append(settings: Settings, topic: str, partition: int, *, transaction: str = "", **headers: str) -> datetime:
    """Appends a record; when, by the broker's clock."""
    extra = {"transactional.id": settings.kafka_topic_prefix + transaction} if transaction else {}
    producer, times = kafka.producer(settings, **extra), list[int]()
    if transaction:
        producer.init_transactions(10)
        producer.begin_transaction()
    producer.produce(
        settings.topic(topic),
        b"x",
        partition=partition,
        headers=kafka.encode_headers(headers),
        on_delivery=lambda _, message: times.append(message.timestamp()[1]),
    )
    if transaction:
        producer.commit_transaction(10)
    assert producer.flush(10) == 0
    return datetime.fromtimestamp(times[0] / 1000, UTC)


def commit(settings: Settings, partition: int, offset: int) -> None:
    """As track does, which moves them in its transactions."""
    consumer = kafka.consumer(settings, group=settings.group("track"))
    consumer.commit(offsets=[TopicPartition(settings.topic(TOPIC_REPORTS), partition, offset)], asynchronous=False)
    consumer.close()


def test_what_track_has_not_read_bounds_it_and_then_what_history_has_not(
    settings: Settings, connection: psycopg.Connection
) -> None:
    before = datetime.now(UTC)
    # A young broker has no coordinator of groups in its first seconds, and says so.
    wait_until(lambda: progress(settings, connection).until, 60, "the broker's first answer")
    answer = progress(settings, connection)
    assert answer.until is not None, answer.problem
    assert answer.until >= before  # nothing was ever sent: all of it is read

    first = append(settings, TOPIC_REPORTS, 0)
    append(settings, TOPIC_REPORTS, 1)
    assert progress(settings, connection).until == first
    commit(settings, 0, 1)
    commit(settings, 1, 1)
    append(settings, TOPIC_POSITIONS, 1, transaction="track")
    answer = progress(settings, connection, patience_s=0)
    assert (answer.until, answer.problem) == (None, "history has not read all of partitions 1 yet")

    # The record is at offset 0, its transaction's marker at 1: where history stands behind the record, all is read.
    connection.execute("INSERT INTO ops.offsets VALUES (%s, 1, 1)", [settings.topic(TOPIC_POSITIONS)])
    until = progress(settings, connection).until
    assert until is not None
    assert until > first


def test_without_kafka_it_cannot_be_told(settings: Settings, connection: psycopg.Connection) -> None:
    away = Settings.read(kafka_bootstrap="127.0.0.1:1", kafka_topic_prefix=settings.kafka_topic_prefix)
    answer = progress(away, connection)
    assert answer.until is None
    assert "Kafka did not answer" in answer.problem


def test_refusals_of_a_stretch_are_counted_by_reason_and_marks_are_none(settings: Settings) -> None:
    first = append(settings, TOPIC_DEAD_LETTERS, 0, **{Header.REASON: "too_late"})
    append(settings, TOPIC_DEAD_LETTERS, 1, transaction="track", **{Header.REASON: "implausible"})
    append(settings, TOPIC_DEAD_LETTERS, 1, **{Header.REASON: "too_late", Header.REPLAY_OF: "0:0"})
    last = append(settings, TOPIC_DEAD_LETTERS, 0, **{Header.REASON: "too_late"})
    tick = timedelta(milliseconds=1)
    assert refused_between(settings, first, last + tick) == {"too_late": 2, "implausible": 1}
    assert refused_between(settings, last + tick, last + timedelta(hours=1)) == {}
