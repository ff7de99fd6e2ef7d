"""The broker is what the platform counts on: its settings in effect, and what it holds after a crash."""

import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its package does not list them
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.process import free_port, is_listening

pytestmark = pytest.mark.integration

READ_WITHIN_S = 15.0


def make_topic(bootstrap: str, **settings: str) -> str:
    name = f"embedded-{uuid.uuid4().hex[:8]}"
    topic = NewTopic(name, num_partitions=1, replication_factor=1, config=settings)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([topic])[name].result(10)
    return name


def produce(bootstrap: str, topic: str, *values: bytes, **settings: object) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, **settings})
    failures: list[KafkaError] = []

    def note(failure: KafkaError | None, _message: Message) -> None:
        if failure is not None:
            failures.append(failure)

    for value in values:
        producer.produce(topic, value, on_delivery=note)
    assert producer.flush(15) == 0
    assert not failures


def read(bootstrap: str, topic: str, many: int) -> list[Message]:
    """The first records that a careful reader sees."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": "read_committed"}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []
    deadline = time.monotonic() + READ_WITHIN_S
    try:
        while len(messages) < many:
            assert time.monotonic() < deadline, f"only {len(messages)} of {many} records came"
            messages += consumer.consume(many - len(messages), 0.1)
    finally:
        consumer.close()
    return messages


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto.create.topics.enable", "false"),
        ("log.message.timestamp.type", "LogAppendTime"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.initial.rebalance.delay.ms", "0"),
    ],
)
def test_settings_are_in_effect(kafka_bootstrap: str, name: str, value: str) -> None:
    broker = ConfigResource(ResourceType.BROKER, "1")
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    assert admin.describe_configs([broker])[broker].result(10)[name].value == value


def test_records_are_stamped_as_they_arrive(kafka_bootstrap: str) -> None:
    topic = make_topic(kafka_bootstrap)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    producer.produce(topic, b"from 2018", timestamp=1_533_081_600_000)
    assert producer.flush(15) == 0
    kind, stamped_ms = read(kafka_bootstrap, topic, 1)[0].timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert stamped_ms / 1000 == pytest.approx(time.time(), abs=60)


def test_a_dead_letter_of_eight_megabytes_passes(kafka_bootstrap: str) -> None:
    topic = make_topic(kafka_bootstrap)
    value = bytes(8 << 20)
    produce(kafka_bootstrap, topic, value, **{"message.max.bytes": 9_000_000})
    assert read(kafka_bootstrap, topic, 1)[0].value() == value


def test_a_typing_error_makes_no_topic(kafka_bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.list_topics("flight.raports", timeout=10)
    assert "flight.raports" not in admin.list_topics(timeout=10).topics


def test_the_transaction_of_the_dead_does_not_hold_readers_for_long(kafka_bootstrap: str) -> None:
    topic = make_topic(kafka_bootstrap)
    dead = Producer(
        {
            "bootstrap.servers": kafka_bootstrap,
            "transactional.id": topic,
            "transaction.timeout.ms": 1000,
            "message.timeout.ms": 1000,
        }
    )
    dead.init_transactions(10)
    dead.begin_transaction()
    dead.produce(topic, b"never committed")
    dead.flush(10)
    began = time.monotonic()
    produce(kafka_bootstrap, topic, b"after it")
    assert [message.value() for message in read(kafka_bootstrap, topic, 1)] == [b"after it"]
    assert time.monotonic() - began < 5
    with pytest.raises(KafkaException):
        dead.commit_transaction(10)


def test_what_was_acknowledged_survives_a_crash_and_a_move(server_folder: Path) -> None:
    folder = server_folder / "kafka-crash"
    with EmbeddedKafka(folder, free_port()) as kafka:
        topic = make_topic(kafka.bootstrap)
        produce(kafka.bootstrap, topic, b"one", b"two")
        kafka.kill()
        assert not is_listening(kafka.port)
    with EmbeddedKafka(folder, free_port()) as moved:
        assert [message.value() for message in read(moved.bootstrap, topic, 2)] == [b"one", b"two"]
