"""The word that makes trackers forget: an address without a report, in `flight.reports`.

In that topic and not as a tombstone in `flight.tracker`, whose owner would write the state again within the minute:
here it comes behind the last report, and the tracker that has the aircraft removes both what it believes and what it
kept, in one transaction.
"""

from collections.abc import Iterable

from confluent_kafka import KafkaException

from flight_platform import kafka
from flight_platform.errors import ServerUnavailableError
from flight_platform.names import TOPIC_REPORTS
from flight_platform.settings import Settings

_PATIENCE_S = 15.0


def tell_trackers_to_forget(settings: Settings, addresses: Iterable[str]) -> None:
    """Puts the word for each address into Kafka; raises ServerUnavailableError where it is not taken."""
    producer = kafka.producer(settings, **{"message.timeout.ms": int(_PATIENCE_S * 1000)})
    failed: list[str] = []
    try:
        for icao24 in addresses:
            producer.produce(
                settings.topic(TOPIC_REPORTS),
                None,
                icao24,
                on_delivery=lambda error, _message: failed.append(error.str()) if error else None,
            )
        left = producer.flush(_PATIENCE_S + 1)
    except KafkaException as error:
        raise ServerUnavailableError(f"Kafka at {settings.kafka_bootstrap} does not answer: {error.args[0]}") from error
    if left or failed:
        raise ServerUnavailableError(
            f"Kafka at {settings.kafka_bootstrap} did not take the word for the trackers "
            f"({failed[0] if failed else 'no answer'}); ask again once it runs: to forget twice does no harm"
        )
