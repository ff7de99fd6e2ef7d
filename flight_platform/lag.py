"""What a consumer group has before it in a topic, told from outside: its committed offsets against the log's ends."""

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from flight_platform import kafka
from flight_platform.settings import Settings

_ANSWER_S: Final = 10.0
_RECORD_S: Final = 3.0  # for the first record of each partition, all together
_PAUSE_S: Final = 0.2


class GroupLag:
    """Asks again and again, without being a member. Raises KafkaException where Kafka does not tell."""

    def __init__(self, settings: Settings, group: str, topic: str) -> None:
        self._topic = topic
        more = {"group.protocol": "classic", "enable.partition.eof": True}
        self._consumer: Consumer = kafka.consumer(settings, group=group, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def committed(self) -> dict[int, int]:
        """Where the group goes on in each partition; waits for the offsets of open transactions."""
        partitions = self._consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic].partitions
        offsets = committed(self._consumer, self._topic, partitions, _ANSWER_S)
        return {number: max(offsets.get(number, 0), self._bounds(number)[0]) for number in partitions}

    def records(self) -> int:
        """How many offsets are before the group, 0 where these are transactions' markers alone."""
        behind = {}
        for number, offset in self.committed().items():
            end = self._bounds(number)[1]
            if end > offset:
                behind[number] = (offset, end - offset)
        unread = first_unread(self._consumer, self._topic, {number: offset for number, (offset, _) in behind.items()})
        return sum(behind[number][1] for number in unread)

    def _bounds(self, number: int) -> tuple[int, int]:
        """The first offset of a partition's log, and the one after its last."""
        bounds: tuple[int, int] = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, number), timeout=_ANSWER_S
        )
        return bounds


def committed(client: Consumer, topic: str, numbers: Iterable[int], timeout_s: float) -> dict[int, int]:
    """Where the client's group goes on, of the partitions of which it has committed an offset.

    The client need not be a member. Raises KafkaException where Kafka does not tell of one of them.
    """
    offsets = {}
    for place in client.committed([TopicPartition(topic, number) for number in numbers], timeout=timeout_s):
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset >= 0:
            offsets[place.partition] = place.offset
    return offsets


def first_unread(client: Consumer, topic: str, starts: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Offset and append time (Unix ms) of the first record from each start on; no entry where there is none."""
    found: dict[int, tuple[int, int]] = {}
    waiting, deadline = set(starts), time.monotonic() + _RECORD_S
    client.assign([TopicPartition(topic, number, offset) for number, offset in starts.items()])
    try:
        while waiting:
            for message in client.consume(1, timeout=_PAUSE_S):
                number, error = message.partition(), message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if number is None or number not in waiting:
                    continue
                if error is None:
                    found[number] = (message.offset() or 0, message.timestamp()[1])
                waiting.discard(number)
                client.incremental_unassign([TopicPartition(topic, number)])
            if waiting and time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer about {topic} {sorted(waiting)}"))
    finally:
        client.unassign()
    return found
