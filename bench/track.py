"""The tracker: from `flight.reports` to committed records in `flight.positions`.

The limit is librdkafka's own loop: the same records consumed and produced again, unread, in Kafka transactions of the
same size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from bench import tracks
from bench.drain import Drain, put
from bench.machine import say
from bench.measure import Outcome, Sample, Way, alternate, clocked
from bench.run import PARTITIONS, Run, pid_of
from flight_platform import kafka
from flight_platform.codec import decode, encode
from flight_platform.model import address_of, format_flight_id, make_flight_id
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage

_BATCH, _BATCH_S = 5_000, 0.05  # as the tracker's
_TICKS = 10


def measure(run: Run) -> list[Outcome]:
    """Each way over a backlog; each round takes the aircraft on where the last one left them."""
    say("track: librdkafka's transactions, one message at a time, ours")
    with run.database() as url:
        work = _Work(run, url)
        with work.process() as drain:
            drain()  # the first round makes all flights; a running platform does that once
            ways = [
                Way("consume and produce in transactions, unread", "limit", work.pass_through),
                Way("one message, one object, one produce; no transaction", "naive", work.one_by_one),
                Way("the track process, exactly once", "ours", drain),
            ]
            return alternate(ways, run.rounds)


class _Work:
    def __init__(self, run: Run, url: str) -> None:
        self._run = run
        aircraft = run.pick(6_000, 12_000)
        self._fleet = tracks.Fleet(run.stretches, aircraft, run.take_addresses(aircraft))
        self._start_ms = kafka.now_ms()
        self._tick = 0
        self._settings = run.settings(run.live[:1], url)
        self._others = run.settings(run.live[:1], url)  # topics for the limit and the naive way
        self._few = run.pick(3_000, 10_000)
        self._servers = [pid_of(run.kafka)]
        self._keys: list[str] = []

    def _next(self) -> list[bytes]:
        reports = list(self._fleet.ticks(self._tick, self._tick + _TICKS, self._start_ms))
        self._tick += _TICKS
        self._keys = [report.icao24 for report in reports]
        return [encode(report) for report in reports]

    @contextmanager
    def process(self) -> Iterator[Drain]:
        """The real process."""
        topic = self._settings.topic(TOPIC_REPORTS)
        group = self._settings.group(Stage.TRACK)
        reader: Consumer = kafka.consumer(self._settings, group=group, **{"group.protocol": "classic"})
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]

        def committed() -> int:
            return sum(max(place.offset, 0) for place in reader.committed(places, timeout=10))

        with Drain(
            self._run,
            self._settings,
            Stage.TRACK,
            TOPIC_REPORTS,
            self._next,
            committed,
            servers=self._servers,
            ready="assigned",
            keys=lambda: self._keys,
        ) as drain:
            yield drain
        reader.close()

    @contextmanager
    def _backlog(self, count: int | None) -> Iterator[tuple[Consumer, int]]:
        """A consumer at the beginning of fresh records, and how many there are."""
        fleet = self._fleet.ticks(0, _TICKS, self._start_ms)
        reports = [report for _, report in zip(range(count or self._fleet_size()), fleet, strict=False)]
        topic = self._others.topic(TOPIC_REPORTS)
        consumer: Consumer = kafka.consumer(self._others, group="bench", **{"group.protocol": "classic"})
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = kafka.end_offsets(consumer, places)
        producer = kafka.producer(self._others, **{"queue.buffering.max.messages": 1_000_000})
        put(producer, topic, [encode(report) for report in reports], [report.icao24 for report in reports])
        consumer.assign([TopicPartition(topic, number, ends[topic, number]) for number in range(PARTITIONS)])
        yield consumer, len(reports)
        consumer.close()

    def _fleet_size(self) -> int:
        return len(self._fleet) * _TICKS

    def pass_through(self) -> Sample:
        topic = self._others.topic(TOPIC_POSITIONS)
        producer = kafka.producer(self._others, **{"transactional.id": "bench", "linger.ms": 1})
        producer.init_transactions(30)
        with self._backlog(None) as (consumer, count), clocked(count, self._servers) as sample:
            left = count
            while left:
                messages = [m for m in consumer.consume(_BATCH, _BATCH_S) if m.error() is None]
                if messages:
                    self._pass(producer, consumer, topic, messages)
                    left -= len(messages)
        return sample

    def _pass(self, producer: Producer, consumer: Consumer, topic: str, messages: list[Message]) -> None:
        producer.begin_transaction()
        for message in messages:
            producer.produce(topic, message.value(), message.key(), message.partition() or 0)
        member = consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), member, 10)
        producer.commit_transaction(10)

    def one_by_one(self) -> Sample:
        topic = self._others.topic(TOPIC_POSITIONS)
        producer = Producer({"bootstrap.servers": self._others.kafka_bootstrap})
        flights: dict[str, int] = {}
        with self._backlog(self._few) as (consumer, count), clocked(count, self._servers) as sample:
            left = count
            while left:
                message = consumer.poll(1.0)
                if message is None or message.error() is not None:
                    continue
                report = decode(message.value() or b"")
                flight_id = flights.setdefault(
                    report.icao24, make_flight_id(address_of(report.icao24), report.time // 1000)
                )
                producer.produce(topic, encode(replace(report, flight_id=flight_id)), format_flight_id(flight_id))
                producer.poll(0)
                left -= 1
            producer.flush(30)
        return sample
