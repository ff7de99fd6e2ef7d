"""The tracker process: from `flight.reports` to `flight.positions`, each report with its flight.

    flight.reports ──► judge (tracking.py) ──► flight.positions      same partition, key = flight id
                                           ├─► flight.tracker        what is believed, once a minute an aircraft
                                           └─► flight.dead-letters   what is refused

All of that and the offsets move in one Kafka transaction each 50 ms or so: a report is judged once, whoever dies.

A report in a partition that is not its aircraft's (a producer that hashes otherwise, or did not see the topics grow)
goes back into `flight.reports`, to the right one. While the topics do not agree on their partitions, trackers stand by.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from flight_platform import kafka
from flight_platform.codec import TrackingRow, decode, decode_reports, source_of, stamp_flight_id
from flight_platform.errors import InvalidIdentifierError, UndecodableError
from flight_platform.layout import LayoutWatch
from flight_platform.model import address_of, format_flight_id
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER, Reason, Stage
from flight_platform.settings import Settings
from flight_platform.telemetry import (
    CONSUMER_BATCH_DURATION,
    CONSUMER_LAG,
    CONSUMER_PAUSED,
    CONSUMER_REBALANCES,
    CONSUMER_RECORDS,
    CONSUMER_WATERMARK,
    E2E_LATENCY,
)
from flight_platform.watch.heartbeats import Heartbeat
from flight_platform.watch.repeats import NEW, REPEATED
from flight_platform.watermarks import advance
from streaming.dead_letters import Refusals, letter_of_report
from streaming.process import running
from streaming.tracker_restore import STATE_EVERY_MS, restore
from streaming.tracker_state import Arrival, pack, report_of
from streaming.tracking import HOLD_MS, LONGEST_FLIGHT_MS, Aircraft, Outcome, Verdict

log = structlog.get_logger()

_BATCH_RECORDS: Final = 5_000
_BATCH_S: Final = 0.05  # a transaction each 50 ms: half the latency that it adds
_FORGET_EVERY_MS: Final = 600_000
_HEALTH_EVERY_S: Final = 1.0
_STAND_BY_S: Final = 0.2
_LATENCY_SAMPLES: Final = 8  # reports of each batch whose latency is observed
MISPLACED: Final = "misplaced"  # the outcome of a report that goes to its aircraft's partition
_NO_REPORT: Final = "not a flight.v1.Position with icao24, time, latitude and longitude"
_LAST_MS: Final = (1 << 32) * 1000  # a flight id has 32 bits for the second

_T = TypeVar("_T")


@dataclass(slots=True)
class Partition:
    """One partition as its tracker knows it.

    `unkept` has the aircraft with reports that no kept state knows of and when the first of these came, oldest first.
    """

    number: int
    aircraft: dict[str, Aircraft] = field(default_factory=dict)
    unkept: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    next_offset: int = 0
    end: int = 0  # where its log ended when we last came to its end: markers of transactions are no records
    appended_ms: int = 0
    watermark_ms: int = 0
    forgotten_ms: int = 0

    def note(self, message: Message) -> None:
        """Up to here the partition has been read."""
        self.next_offset, self.appended_ms = (message.offset() or 0) + 1, message.timestamp()[1]

    def meet(self, icao24: str) -> Aircraft:
        """An aircraft that is new here; raises InvalidIdentifierError where that is no address."""
        known = self.aircraft[icao24] = Aircraft(address_of(icao24))
        return known


class Tracker:
    """The partitions of this process and its way into Kafka."""

    def __init__(self, settings: Settings, beat: Heartbeat, watch: LayoutWatch) -> None:
        self._settings, self._beat, self._watch = settings, beat, watch
        self._partition_count = 0  # as of the last assignment
        self._topics = {
            name: settings.topic(name) for name in (TOPIC_REPORTS, TOPIC_POSITIONS, TOPIC_TRACKER, TOPIC_DEAD_LETTERS)
        }
        self._partitions: dict[int, Partition] = {}
        self._written: dict[int, tuple[str, bytes]] = {}  # flight ids as the text of a key and as the stamp of a report
        self._newest: dict[str, int] = {}  # by source: told when it is committed
        self._repeated: Counter[str] = Counter()  # by source: of the batch in hand
        self._in_transaction = False
        self._refusals = Refusals()
        self._producer = self._new_producer()
        self._consumer = self._join()

    def _join(self) -> Consumer:
        group = self._settings.group(Stage.TRACK)
        consumer = kafka.consumer(self._settings, group=group, **{"enable.partition.eof": True})
        consumer.subscribe(
            [self._topics[TOPIC_REPORTS]], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke
        )
        return consumer

    def _new_producer(self) -> Producer:
        producer = kafka.producer(
            self._settings,
            **{
                "transactional.id": f"{self._settings.group(Stage.TRACK)}.{self._settings.instance}",
                "transaction.timeout.ms": kafka.TRANSACTION_TIMEOUT_MS,
                "linger.ms": 1,
            },
        )
        _patiently(lambda: producer.init_transactions(30))
        return producer

    def run(self, stop: threading.Event) -> None:
        """Judges until told to stop. A transaction that Kafka refuses is judged again from what is committed."""
        CONSUMER_PAUSED.labels(Stage.TRACK).set(0)  # never: its store is Kafka itself
        health_at = monotonic()
        while not stop.is_set():
            if self._must_stand_by():
                self._stand_by(stop)
                continue
            messages = [m for m in self._consumer.consume(_BATCH_RECORDS, _BATCH_S) if self._is_record(m)]
            try:
                if messages:
                    with CONSUMER_BATCH_DURATION.labels(Stage.TRACK).time():
                        self._judge_all(messages)
                if monotonic() - health_at >= _HEALTH_EVERY_S:
                    health_at = monotonic()
                    self._refuse_unfollowed(kafka.now_ms())
                    self._tell()
                    self._refusals.tell(self._beat.counts)
                self._commit()
            except KafkaException as error:
                self._start_over(error)

    def close(self) -> None:
        """Leaves the group, so that others take over at once."""
        self._consumer.close()

    def _must_stand_by(self) -> bool:
        """Whether the state of aircraft is on its way to other partitions: nobody may judge meanwhile."""
        layout = self._watch.layout
        return layout is not None and not layout.agrees

    def _stand_by(self, stop: threading.Event) -> None:
        """Leaves the group, so that whoever moves the state knows that nobody judges; joins again afterwards."""
        log.warning("standing_by", layout=self._watch.layout, hint="`flight topics grow` makes the topics agree again")
        self._beat.note = "standing by: the topics grow"
        self._beat.partitions.look({})
        self._consumer.close()
        while self._must_stand_by() and not stop.wait(_STAND_BY_S):
            pass
        # Clients look at a topic's partitions every few minutes: ours would not know the new ones.
        self._producer, self._consumer = self._new_producer(), self._join()

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        partition = self._partitions.get(message.partition() or 0)
        if error is None:
            return partition is not None
        if error.code() != KafkaError._PARTITION_EOF:
            log.debug("kafka_says", problem=error.str())
        elif partition is not None:
            partition.end = message.offset() or 0
        return False

    def _judge_all(self, messages: list[Message]) -> None:
        """Judges each report in its order; the usual one only goes on with its flight."""
        if messages:
            self._begin()  # even where all are repeats: their offsets move
        values = [message.value() or b"" for message in messages]
        rows, newest, taken = decode_reports(values)
        advance(self._newest, newest)
        outcomes: Counter[str] = Counter()
        last: dict[int, Message] = {}
        for message, value, row in zip(messages, values, rows, strict=True):
            number = message.partition() or 0
            partition, last[number] = self._partitions[number], message
            known = None if row is None else partition.aircraft.get(row[0])
            if known is None or row is None or not _possible(row) or not (flight_id := known.follow(*row[1:])):
                self._judge(partition, message, row, outcomes)
                continue
            self._pass(partition, flight_id, value, row[1])
            outcomes[Outcome.PASSED] += 1
            if row[0] not in partition.unkept:
                partition.unkept[row[0]] = message.timestamp()[1]
        for number, message in last.items():
            self._partitions[number].note(message)
        for partition in self._partitions.values():
            self._keep_old(partition)
        self._count(outcomes)
        self._count_sources(taken)
        _observe_latency(messages)

    def _judge(self, partition: Partition, message: Message, row: TrackingRow | None, outcomes: Counter[str]) -> None:
        """Judges one report, whatever it is."""
        partition.note(message)
        value = message.value() or b""
        arrival = Arrival(value, message.offset() or 0, partition.appended_ms, partition.number)
        if row is None:
            if message.value() is not None or not self._asks_to_forget(partition, message):
                self._refuse(arrival, Reason.UNDECODABLE, _NO_REPORT)
            return
        try:
            known = partition.aircraft.get(row[0]) or self._meet(partition, row[0])
        except InvalidIdentifierError as error:
            self._refuse(arrival, Reason.OUT_OF_RANGE, str(error), error)
            return
        if known is None:
            self._produce(TOPIC_REPORTS, kafka.partition_of(row[0], self._partition_count), row[0], value)
            outcomes[MISPLACED] += 1
            return
        if not _possible(row):
            self._refuse(arrival, Reason.OUT_OF_RANGE, f"time, latitude, longitude are {row[1:4]}")
            return
        for verdict in known.judge(report_of(row, arrival)):
            self._carry_out(partition, verdict, outcomes)
        if known.changed:
            self._keep(partition, row[0], known)
        elif row[0] not in partition.unkept:
            partition.unkept[row[0]] = arrival.appended_ms

    def _meet(self, partition: Partition, icao24: str) -> Aircraft | None:
        """An aircraft that is new here; None where its reports belong into another partition."""
        address_of(icao24)  # refuses what is none
        at_home = kafka.partition_of(icao24, self._partition_count) == partition.number
        return partition.meet(icao24) if at_home else None

    def _asks_to_forget(self, partition: Partition, message: Message) -> bool:
        """An address without a report is the word of `flight forget`: what is believed of that aircraft goes, here in
        the order of its reports, so that nothing of before is kept after it. Whether it was one."""
        icao24 = (message.key() or b"").decode("utf-8", "replace")
        try:
            address_of(icao24)
        except InvalidIdentifierError:
            return False
        home = kafka.partition_of(icao24, self._partition_count)
        if home == partition.number:
            self._let_go(partition, icao24)
        else:
            self._produce(TOPIC_REPORTS, home, icao24, None)
        return True

    def _carry_out(self, partition: Partition, verdict: Verdict, outcomes: Counter[str]) -> None:
        outcome, report, flight_id, detail = verdict
        outcomes[outcome] += 1
        if outcome is Outcome.PASSED:
            self._pass(partition, flight_id, report.payload.data, report.time)
        elif outcome is Outcome.REFUSED:
            self._refuse(report.payload, Reason.IMPLAUSIBLE, detail)
        else:
            self._repeated[source_of(report.payload.data)] += 1

    def _pass(self, partition: Partition, flight_id: int, data: bytes, time_ms: int) -> None:
        written = self._written.get(flight_id)
        if written is None:
            written = self._written[flight_id] = format_flight_id(flight_id), stamp_flight_id(b"", flight_id)
        self._produce(TOPIC_POSITIONS, partition.number, written[0], data + written[1])
        if time_ms > partition.watermark_ms:
            partition.watermark_ms = time_ms

    def _count(self, outcomes: Counter[str]) -> None:
        self._beat.counts.update(outcomes)
        for outcome, count in outcomes.items():
            CONSUMER_RECORDS.labels(Stage.TRACK, outcome).inc(count)

    def _count_sources(self, taken: Mapping[str, int]) -> None:
        """What of a batch was new and what was not, by the sources whose watermark is told: these are bounded."""
        for source in taken.keys() & self._beat.watermarks_ms.keys():
            self._beat.counts[NEW + source] += taken[source] - self._repeated[source]
            self._beat.counts[REPEATED + source] += self._repeated[source]
        self._repeated.clear()

    def _refuse(self, arrival: Arrival, reason: Reason, detail: str, error: Exception | None = None) -> None:
        origin = (self._topics[TOPIC_REPORTS], arrival.partition, arrival.offset)
        value, headers = letter_of_report(
            arrival.data, reason=reason, detail=detail, error=error, now_ms=arrival.appended_ms, origin=origin
        )
        self._begin()
        self._producer.produce(self._topics[TOPIC_DEAD_LETTERS], value, headers=headers)
        self._beat.counts[reason] += 1

    def _keep(self, partition: Partition, icao24: str, known: Aircraft) -> None:
        self._begin()
        self._produce(TOPIC_TRACKER, partition.number, icao24, pack(known, partition.next_offset))
        known.changed = False
        partition.unkept.pop(icao24, None)
        (partition.held.add if known.held else partition.held.discard)(icao24)

    def _keep_old(self, partition: Partition) -> None:
        """Keeps the state of aircraft whose kept one is a minute behind; forgets those unseen for long."""
        while partition.unkept:
            icao24, since_ms = next(iter(partition.unkept.items()))
            if partition.appended_ms - since_ms < STATE_EVERY_MS:
                break
            self._keep(partition, icao24, partition.aircraft[icao24])
        if partition.appended_ms - partition.forgotten_ms > _FORGET_EVERY_MS:
            partition.forgotten_ms = partition.appended_ms
            self._forget(partition)

    def _forget(self, partition: Partition) -> None:
        oldest_ms = partition.watermark_ms - 2 * LONGEST_FLIGHT_MS
        for icao24, known in list(partition.aircraft.items()):
            if icao24 not in partition.unkept and not known.held and all(f.time < oldest_ms for f in known.flights):
                self._let_go(partition, icao24)

    def _let_go(self, partition: Partition, icao24: str) -> None:
        known = partition.aircraft.pop(icao24, None)
        partition.unkept.pop(icao24, None)
        partition.held.discard(icao24)
        for flight in known.flights if known else ():
            self._written.pop(flight.flight_id, None)
        self._produce(TOPIC_TRACKER, partition.number, icao24, None)

    def _refuse_unfollowed(self, now_ms: int) -> None:
        """Held reports of aircraft that have fallen silent are refused by the clock: nothing else would judge them."""
        outcomes: Counter[str] = Counter()
        for partition in self._partitions.values():
            for icao24 in list(partition.held):
                known = partition.aircraft[icao24]
                if now_ms - known.held[-1].payload.appended_ms > HOLD_MS:
                    for verdict in known.refuse_held("no consistent run of reports followed"):
                        self._carry_out(partition, verdict, outcomes)
                    self._keep(partition, icao24, known)
        self._count(outcomes)

    def _produce(self, topic: str, partition: int, key: str, value: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(self._topics[topic], value, key, partition)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def _begin(self) -> None:
        if not self._in_transaction:
            self._producer.begin_transaction()
            self._in_transaction = True

    def _commit(self) -> None:
        """Commits outputs, state, dead letters and offsets together."""
        if not self._in_transaction:
            return
        topic = self._topics[TOPIC_REPORTS]
        moved = [TopicPartition(topic, p.number, p.next_offset) for p in self._partitions.values()]
        member = self._consumer.consumer_group_metadata()
        _patiently(lambda: self._producer.send_offsets_to_transaction(moved, member, 10))
        _patiently(lambda: self._producer.commit_transaction(10))
        self._in_transaction = False
        self._tell_watermark()

    def _start_over(self, error: KafkaException) -> None:
        """After a refused transaction: aborts it and judges again from what is committed.

        A fatal error means that the broker gave this producer up (its transaction timed out, or another process has its
        name): a new one takes its place.
        """
        problem = error.args[0]
        log.warning("transaction_refused", problem=problem.str(), fatal=problem.fatal())
        if problem.fatal():
            self._producer = self._new_producer()
        elif self._in_transaction:
            _patiently(lambda: self._producer.abort_transaction(30))
        self._in_transaction = False
        self._newest.clear()
        for place in self._take_over([TopicPartition(self._topics[TOPIC_REPORTS], n) for n in self._partitions]):
            self._consumer.seek(place)

    def _assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        CONSUMER_REBALANCES.labels(Stage.TRACK).inc()
        layout = self._watch.look()  # now, and not a second ago
        self._partition_count = layout.reports
        # While the topics grow nothing of these partitions is ours to judge: we leave the group at the next turn.
        consumer.incremental_assign(self._take_over(places) if layout.agrees else places)
        log.info("assigned", partitions=sorted(self._partitions))

    def _take_over(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """Restores what is believed of these partitions and says where to go on."""
        if not places:
            return []
        committed: dict[int, int] = {}
        for place in _patiently(lambda: self._consumer.committed(places, timeout=30)):
            if place.error is not None:
                raise KafkaException(place.error)
            low = self._consumer.get_watermark_offsets(place, timeout=10)[0]
            committed[place.partition] = max(place.offset, low)
        for number, restored in restore(self._settings, committed).items():
            held = {icao24 for icao24, known in restored.aircraft.items() if known.held}
            self._partitions[number] = Partition(
                number, restored.aircraft, restored.unkept, held, next_offset=committed[number]
            )
        return [TopicPartition(places[0].topic, number, offset) for number, offset in committed.items()]

    def _revoke(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        CONSUMER_REBALANCES.labels(Stage.TRACK).inc()
        for place in places:
            self._partitions.pop(place.partition, None)
        log.info("revoked", partitions=sorted(place.partition for place in places))

    def _tell(self) -> None:
        """Lag for the heartbeat and the metrics, once a second."""
        places: dict[int, tuple[int, int]] = {}
        for partition in self._partitions.values():
            place = TopicPartition(self._topics[TOPIC_REPORTS], partition.number)
            end = self._consumer.get_watermark_offsets(place, cached=True)[1]
            lag = max(0, end - max(partition.next_offset, partition.end))
            places[partition.number] = partition.next_offset, lag
            CONSUMER_LAG.labels(Stage.TRACK, partition.number).set(lag)
        self._beat.lag_records = sum(lag for _, lag in places.values())
        self._beat.partitions.look(places)
        self._beat.note = "running" if self._partitions else "no partitions: other trackers have them"

    def _tell_watermark(self) -> None:
        marks = {p.number: p.watermark_ms for p in self._partitions.values() if p.watermark_ms}
        if marks:
            self._beat.watermark_ms = max(marks.values())
        advance(self._beat.watermarks_ms, self._newest)
        for number, mark in marks.items():
            CONSUMER_WATERMARK.labels(Stage.TRACK, number).set(mark / 1000)


def _observe_latency(messages: list[Message]) -> None:
    """How long reports took from their feed into Kafka, by the broker's clock."""
    for message in messages[:: len(messages) // _LATENCY_SAMPLES + 1]:
        with suppress(UndecodableError):
            taken_ms = message.timestamp()[1] - decode(message.value() or b"").received_at
            E2E_LATENCY.labels("kafka").observe(max(taken_ms, 0) / 1000)


def _possible(row: TrackingRow) -> bool:
    """Whether time and place are ones that there are: reports may have come past our own feed, and none may stop us."""
    return 0 <= row[1] < _LAST_MS and -90 <= row[2] <= 90 and -180 <= row[3] <= 180


def _patiently(call: Callable[[], _T]) -> _T:
    """Calls again while Kafka says that it may: it is busy, electing or on its way up."""
    while True:
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            log.warning("waiting_for_kafka", problem=error.args[0].str())


def run(settings: Settings) -> None:
    """Runs one tracker; start as many as there is work for, they share the partitions."""
    with running(settings, Stage.TRACK) as process:
        if not kafka.wait_for_kafka(settings, process.stop.wait):
            return
        with LayoutWatch(settings) as watch:
            tracker = Tracker(settings, process.beat, watch)
            try:
                tracker.run(process.stop)
            finally:
                tracker.close()
