"""What Kafka tells of the platform's topics."""

from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from flight_platform import kafka, names
from flight_platform.errors import ServerUnavailableError
from flight_platform.settings import Settings

TOPICS = (names.TOPIC_REPORTS, names.TOPIC_POSITIONS, names.TOPIC_TRACKER, names.TOPIC_DEAD_LETTERS)


def topic_facts(settings: Settings) -> list[dict[str, Any]]:
    """Each topic with its partitions and how many records it holds; None where the topic is missing."""
    client = kafka.consumer(settings, group=settings.group("cli"))
    try:
        present = client.list_topics(timeout=5).topics
        facts = []
        for name in map(settings.topic, TOPICS):
            partitions = sorted(present[name].partitions) if name in present else []
            spans = [client.get_watermark_offsets(TopicPartition(name, p), timeout=5) for p in partitions]
            facts.append(
                {
                    "topic": name,
                    "partitions": len(partitions) or None,
                    "records": sum(high - low for low, high in spans) if partitions else None,
                }
            )
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        client.close()
    return facts


def unavailable(settings: Settings, error: KafkaException) -> ServerUnavailableError:
    """The one line of a Kafka that does not answer."""
    return ServerUnavailableError(
        f"Kafka at {settings.kafka_bootstrap} does not answer ({error.args[0].str()}). "
        "Start the platform with `flight up`, or name your broker in FLIGHT_KAFKA_BOOTSTRAP"
    )
