"""What a consumer group has before it in a topic, told from outside: its committed offsets against the log's ends."""

from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from flight_platform import kafka
from flight_platform.history.progress import first_unread
from flight_platform.settings import Settings

_ANSWER_S: Final = 10.0


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
        found = {}
        for place in self._consumer.committed([TopicPartition(self._topic, n) for n in partitions], timeout=_ANSWER_S):
            if place.error is not None:
                raise KafkaException(place.error)
            low = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)[0]
            found[place.partition] = max(place.offset, low)
        return found

    def records(self) -> int:
        """How many offsets are before the group, 0 where these are transactions' markers alone."""
        behind = {}
        for number, offset in self.committed().items():
            end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_ANSWER_S)[1]
            if end > offset:
                behind[number] = (offset, end - offset)
        unread = first_unread(self._consumer, self._topic, {number: offset for number, (offset, _) in behind.items()})
        return sum(behind[number][1] for number in unread)
