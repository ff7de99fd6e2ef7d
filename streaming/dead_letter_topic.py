"""Reading `flight.dead-letters`: all of it, or one letter. It moves nothing: it has no group's offsets.

What a record means is in `dead_letters.py`; which letters are wanted is `Wanted`, a pure filter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from flight_platform import kafka
from flight_platform.errors import FlightError
from flight_platform.kafka import headers_of
from flight_platform.names import TOPIC_DEAD_LETTERS, Header, Reason
from flight_platform.settings import Settings
from streaming.dead_letters import Letter, Mark, Place, format_place, read

_BATCH: Final = 50  # letters are up to 8 MB each
_BATCH_S: Final = 0.1  # a batch that is not full waits this long
_ANSWER_S: Final = 10
# An open transaction hides what comes after it: its process ends it, or Kafka does after TRANSACTION_TIMEOUT_MS.
_OPEN_TRANSACTION_S: Final = 3 * kafka.TRANSACTION_TIMEOUT_MS / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are meant: all that agree with each of these; None and empty mean any."""

    reason: Reason | None = None
    source: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    places: frozenset[Place] = frozenset()

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them. One without a time is of no time: only an open filter takes it."""
        at_ms = letter.refused_at_ms
        return (
            (self.reason is None or letter[Header.REASON] == self.reason)
            and (self.source is None or letter[Header.SOURCE] == self.source)
            and (self.since_ms is None or (at_ms is not None and at_ms >= self.since_ms))
            and (self.until_ms is None or (at_ms is not None and at_ms < self.until_ms))
            and (not self.places or letter.place in self.places)
        )


def read_all(settings: Settings, *, to_the_end: bool = False) -> Iterator[Letter | Mark]:
    """What Kafka holds of letters and marks, each partition in its order; raises KafkaException.

    An open transaction hides the letters after it; `to_the_end` waits until it is over, so that what was committed
    before this call is seen for certain. Raises FlightError where it does not end.
    """
    topic = settings.topic(TOPIC_DEAD_LETTERS)
    with _consumer(settings, "read_committed") as client:
        ends = _ends(settings, topic) if to_the_end else _spans(client, topic)
        client.assign([TopicPartition(topic, number, low) for number, (low, _) in ends.items()])
        left = {number: high for number, (_, high) in ends.items()}
        moved_at, before = monotonic(), dict[int, int]()
        while left:
            for message in _batch(client, _BATCH, _BATCH_S):
                yield _read(message)
            # The position passes what is aborted and the transactions' own records too, which never arrive.
            now = {p.partition: p.offset for p in client.position([TopicPartition(topic, n) for n in left])}
            left = {number: high for number, high in left.items() if now[number] < high}
            if now != before:
                moved_at, before = monotonic(), now
            if monotonic() - moved_at > _OPEN_TRANSACTION_S:
                raise FlightError(
                    f"a transaction on {topic} stays open, so that not all letters can be seen; try again later"
                )


def read_one(settings: Settings, place: Place) -> Letter:
    """The letter at a place; raises FlightError where there is none."""
    topic = settings.topic(TOPIC_DEAD_LETTERS)
    with _consumer(settings, "read_committed") as client:
        low, high = _spans(client, topic).get(place[0], (0, 0))
        if low <= place[1] < high:
            client.assign([TopicPartition(topic, *place)])
            for message in _batch(client, 1, _ANSWER_S):
                found = _read(message)
                if isinstance(found, Letter) and found.place == place:
                    return found
    raise no_letter(place)


def no_letter(place: Place) -> FlightError:
    """The error of a place without a letter."""
    return FlightError(
        f"there is no dead letter {format_place(place)}; `flight dead-letters list` shows those there are"
    )


@contextmanager
def _consumer(settings: Settings, isolation: str) -> Iterator[Consumer]:
    client = kafka.consumer(settings, group=settings.group("cli"), **{"isolation.level": isolation})
    try:
        yield client
    finally:
        client.close()


def _spans(client: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """First offset and end of each partition that is not empty, as far as this client may read."""
    present = client.list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions
    spans = {n: client.get_watermark_offsets(TopicPartition(topic, n), timeout=_ANSWER_S) for n in present}
    return {number: (low, high) for number, (low, high) in spans.items() if high > low}


def _ends(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """The same with what is not committed yet: a mark may lie behind somebody's open transaction."""
    with _consumer(settings, "read_uncommitted") as client:
        return _spans(client, topic)


def _read(message: Message) -> Letter | Mark:
    return read((message.partition() or 0, message.offset() or 0), headers_of(message), message.value())


def _batch(client: Consumer, size: int, timeout_s: float) -> list[Message]:
    messages = client.consume(size, timeout_s)
    for message in messages:
        problem = message.error()
        if problem is not None:
            raise KafkaException(problem)
    return messages
