"""A real process of the platform with a backlog before it: how fast does it work that off?

The process is stopped (SIGSTOP) while the backlog is put into Kafka, so that start-up, joining the group and our own
producing are outside of the clock.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Producer, TopicPartition

from bench.measure import Sample, clocked
from bench.processes import Child
from bench.run import PARTITIONS, Run
from flight_platform import kafka
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

_LOOK_S = 0.01
_TIME_LIMIT_S = 60


class Drain:
    """Called once a round; `done` tells how many offsets the process has behind it in all."""

    def __init__(
        self,
        run: Run,
        settings: Settings,
        stage: Stage,
        topic: str,
        backlog: Callable[[], list[bytes]],
        done: Callable[[], int],
        before: Callable[[], None] = lambda: None,
        *,
        servers: Sequence[int],
        ready: str,
        keys: Callable[[], list[str]] | None = None,
    ) -> None:
        self._settings, self._topic = settings, settings.topic(topic)
        self._backlog, self._keys, self._done, self._before = backlog, keys, done, before
        self._servers, self._ready = servers, ready
        self._child = Child(stage, settings, run.folder)
        self._producer: Producer = kafka.producer(settings, **{"queue.buffering.max.messages": 1_000_000})

    def __enter__(self) -> Self:
        self._child.start()
        try:
            wait_until(lambda: self._child.said(self._ready), 30, f"{self._child.log} says {self._ready}")
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def __call__(self) -> Sample:
        """One round."""
        self._before()
        messages = self._backlog()
        keys = self._keys() if self._keys else None
        self._child.suspend()
        try:
            put(self._producer, self._topic, messages, keys)
            end = _end(self._settings, self._topic)
        finally:
            self._child.resume()
        with clocked(len(messages), self._servers, [self._child.pid]) as sample:
            deadline = time.monotonic() + _TIME_LIMIT_S
            while self._done() < end:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._child.log}: {self._done()} of {end} after {_TIME_LIMIT_S} s")
                time.sleep(_LOOK_S)
        return sample


def put(producer: Producer, topic: str, messages: Sequence[bytes], keys: Sequence[str] | None = None) -> None:
    """Puts records into Kafka as fast as librdkafka takes them; without keys they go round the partitions."""
    for number, message in enumerate(messages):
        if keys is None:
            producer.produce(topic, message, partition=number % PARTITIONS)
        else:
            producer.produce(topic, message, keys[number])
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(30)
    if left:
        raise TimeoutError(f"{left} records not acknowledged by Kafka")


def _end(settings: Settings, topic: str) -> int:
    reader = kafka.consumer(settings, group="bench-ends", **{"group.protocol": "classic"})
    ends = kafka.end_offsets(reader, [TopicPartition(topic, number) for number in range(PARTITIONS)])
    reader.close()
    return sum(ends.values())
