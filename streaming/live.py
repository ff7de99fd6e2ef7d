"""The live consumer: keeps the live servers equal to the newest report of every flight of the last window.

    flight.positions ──► columns ──► newest of each flight ──► SETs ──► live servers
         ▲                              │ (in memory)                        ▲
         └ from now - window,           └──── all of it, to a server that ───┘
           on every assignment                is back or was emptied

It trusts no committed offset: reports older than the window are worthless here, so each assignment starts from what
was appended within it. A partition is first folded up to where its log ended at that moment, then written at once, then
followed. A live server that was away or lost its data is filled from memory, which holds the same fold: no partition
has to be read again for it, and nothing else waits.

Takeover: the old owner has written all that it took when it gives a partition up, the new one writes nothing of it
before it has folded the window, and no owner writes a flight's older report after a newer. What is left is a process
that was stopped (SIGSTOP, a frozen machine) with a batch in its hands and wakes up after its partitions moved: that one
batch may put a flight back by seconds until its next report. To make it impossible the server would have to compare
times on each SET; Tile38 can do that only by a Lua script for each, at several times the cost of a SET.

When the topic grows, a flight moves to another partition, and so to another consumer. What is known of it from its old
one is written only where a server has nothing of the flight (`guarded`), and never over its newer reports.
"""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from flight_platform import kafka
from flight_platform.codec import Array, Columns, decode_columns
from flight_platform.errors import ServerUnavailableError
from flight_platform.layout import LayoutWatch
from flight_platform.live.newest import Newest
from flight_platform.live.writer import LiveWriter, Mask
from flight_platform.names import TOPIC_POSITIONS, Stage
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
from flight_platform.watermarks import advance, newest_by_source
from streaming.process import running

log = structlog.get_logger()

BATCH_RECORDS: Final = 5_000
BATCH_WAIT_S: Final = 0.03  # what a report may wait for company
BEAT_S: Final = 1.0
CLOCK_MARGIN_MS: Final = 5_000  # how far the broker's clock, which stamps the log, may be from ours
LATENCY_SAMPLES: Final = 8  # reports of each batch whose latency is observed


@dataclass(slots=True)
class _Partition:
    """A partition of ours. It is `ready`, and written, once it is folded up to `end`, its end when we got it."""

    end: int
    next: int
    watermark_ms: int = 0  # newest event time; 0 where it had no report within the window
    ready: bool = False


def run(settings: Settings) -> None:
    """Runs until SIGTERM or Ctrl-C."""
    with running(settings, Stage.LIVE) as process:
        if not kafka.wait_for_kafka(settings, process.stop.wait):
            return
        # The end is told of a log whose last record is a transaction's marker, too.
        extra = {"enable.partition.eof": True, **kafka.PREFETCH}
        consumer = kafka.consumer(settings, group=settings.group(Stage.LIVE), **extra)
        with LayoutWatch(settings) as watch:
            LiveConsumer(settings, process.beat, process.stop, consumer, LiveWriter(settings), watch).run()


class LiveConsumer:
    """One consumer of the group. `run` returns when `stop` is set, with everything written and the group left."""

    def __init__(
        self,
        settings: Settings,
        beat: Heartbeat,
        stop: threading.Event,
        consumer: Consumer,
        writer: LiveWriter,
        watch: LayoutWatch,
        clock: Callable[[], int] = kafka.now_ms,
    ) -> None:
        self._topic = settings.topic(TOPIC_POSITIONS)
        self._window_ms = round(settings.live_window_s * 1000)
        self._beat, self._stop, self._consumer, self._writer, self._clock = beat, stop, consumer, writer, clock
        self._watch = watch
        self._newest = Newest()
        self._newest_ms: dict[str, int] = {}  # by source: told when a server has it
        self._partitions: dict[int, _Partition] = {}

    def run(self) -> None:
        CONSUMER_PAUSED.labels(Stage.LIVE).set(0)  # never: what no server takes is folded in memory
        callbacks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._lost}
        self._consumer.subscribe([self._topic], **callbacks)
        next_beat = 0.0
        try:
            while not self._stop.is_set():
                messages = self._consumer.consume(BATCH_RECORDS, BATCH_WAIT_S)
                if messages:
                    with CONSUMER_BATCH_DURATION.labels(Stage.LIVE).time():
                        self.take(messages)
                if self._writer.unfilled():
                    self._fill()
                if time.monotonic() >= next_beat:
                    self.beat()
                    next_beat = time.monotonic() + BEAT_S
        finally:
            self._consumer.close()  # gives the partitions up: `_revoked` waits for what is under way
            self._writer.close()

    def take(self, messages: list[Message]) -> None:
        """From Kafka's bytes to the servers' bytes: decode, fold, write what is news."""
        records, finished = self._note_offsets(messages)
        if records:
            columns, undecodable = decode_columns([record.value() or b"" for record in records])
            partitions = np.fromiter((record.partition() for record in records), dtype="i4", count=len(records))
            if undecodable:
                self._say_undecodable(records, undecodable)
                partitions = np.delete(partitions, undecodable)
            advance(self._newest_ms, newest_by_source(columns["source"], columns["time"]))
            now_ms = self._clock()
            fresh = columns["time"] > now_ms - self._window_ms
            if not fresh.all():
                self._count("stale", int((~fresh).sum()))
                columns, partitions = columns.take(fresh), partitions[fresh]
            news = self._newest.merge(columns, partitions)
            self._count("superseded", len(columns) - len(news))
            self._move_watermarks(columns["time"][news], partitions[news])
            followed = [number for number, partition in self._partitions.items() if partition.ready]
            if len(followed) < len(self._partitions):
                news = news[np.isin(partitions[news], followed)]
            rows = columns.take(news)
            self._count("written", self._writer.write(rows, now_ms, self._guarded(rows)))
            self._observe_latency(rows)
        if finished:
            self._start_following(finished)

    def _note_offsets(self, messages: list[Message]) -> tuple[list[Message], list[int]]:
        """The messages that are records, and the partitions that are folded up to where their log ended."""
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(message)
            elif not _is_end(message):
                if error.fatal():
                    raise ServerUnavailableError(f"Kafka: {error}")
                log.warning("kafka_error", problem=str(error))
        last = {record.partition(): record.offset() or 0 for record in records}
        ends = {m.partition(): m.offset() or 0 for m in messages if _is_end(m)} if len(messages) > len(records) else {}
        finished = []
        for number, partition in self._partitions.items():
            partition.next = max(partition.next, last.get(number, -1) + 1, ends.get(number, -1))
            if not partition.ready and (partition.next >= partition.end or number in ends):
                finished.append(number)
        return records, finished

    def _start_following(self, numbers: list[int]) -> None:
        """Writes partitions that are folded; from now on their news are written as they come."""
        for number in numbers:
            self._partitions[number].ready = True
        rows = self._newest.rows(numbers)
        log.info("partitions_folded", partitions=sorted(numbers), flights=len(rows))
        self._count("written", self._writer.write(rows, self._clock(), self._guarded(rows)))

    def _observe_latency(self, rows: Columns) -> None:
        received = rows["received_at"]
        for received_at in received[:: len(received) // LATENCY_SAMPLES + 1].tolist():
            E2E_LATENCY.labels(Stage.LIVE).observe(max(self._clock() - received_at, 0) / 1000)

    def _fill(self) -> None:
        """Gives a server that is back, or was found emptied, all that it should hold."""
        ready = [number for number, partition in self._partitions.items() if partition.ready]
        now_ms = self._clock()
        self._newest.drop_older(now_ms - self._window_ms)
        rows = self._newest.rows(ready)
        self._count("filled", self._writer.fill(rows, now_ms, self._guarded(rows)))

    def _guarded(self, rows: Columns) -> Mask | None:
        """The rows whose flights another consumer looks after, since the topic has grown; None where there is none."""
        layout = self._watch.layout
        if layout is None or not layout.positions:
            return None
        homes = kafka.partitions_of(rows["flight_id"], layout.positions)
        elsewhere = ~np.isin(homes, [number for number, partition in self._partitions.items() if partition.ready])
        return elsewhere if elsewhere.any() else None

    def beat(self) -> None:
        """Once a second: look after the servers, tell readers and operators how far we are, forget what is too old."""
        ready = {number: p.watermark_ms for number, p in self._partitions.items() if p.ready}
        self._writer.find_emptied(ready)
        if self._writer.unfilled():
            self._fill()
        layout = self._watch.layout
        if layout is not None and self._writer.write_watermarks(ready, layout.positions):
            newest = max([self._beat.watermark_ms or 0, *ready.values()])
            self._beat.watermark_ms = newest or None
            advance(self._beat.watermarks_ms, self._newest_ms)
        self._newest.drop_older(self._clock() - self._window_ms)
        self._writer.count_objects(self._newest.rows(ready))
        lags = {number: self._lag(number) for number in self._partitions}
        self._beat.lag_records = sum(lags.values())
        self._beat.partitions.look({number: (self._partitions[number].next, lag) for number, lag in lags.items()})
        self._tell_kafka(ready)
        away = self._writer.away()
        self._beat.note = f"live servers away: {', '.join(away)}" if away else ""

    def _tell_kafka(self, numbers: Collection[int]) -> None:
        """Says how far we are, for whoever measures lag from outside; we never go back to it."""
        places = [TopicPartition(self._topic, number, self._partitions[number].next) for number in numbers]
        if places:
            with suppress(KafkaException):
                self._consumer.commit(offsets=places, asynchronous=True)

    def _lag(self, number: int) -> int:
        partition = self._partitions[number]
        _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), cached=True)
        lag = max(max(end, partition.end if not partition.ready else 0) - partition.next, 0)
        CONSUMER_LAG.labels(Stage.LIVE, number).set(lag)
        if partition.watermark_ms:
            CONSUMER_WATERMARK.labels(Stage.LIVE, number).set(partition.watermark_ms / 1000)
        return lag

    def _move_watermarks(self, times: Array, partitions: Array) -> None:
        for number in np.unique(partitions).tolist():
            partition = self._partitions.get(number)
            if partition is not None:
                partition.watermark_ms = max(partition.watermark_ms, int(times[partitions == number].max()))

    def _count(self, outcome: str, count: int) -> None:
        if count:
            self._beat.counts[outcome] += count
            CONSUMER_RECORDS.labels(Stage.LIVE, outcome).inc(count)

    def _say_undecodable(self, records: list[Message], rows: list[int]) -> None:
        first = records[rows[0]]
        log.warning("undecodable", count=len(rows), partition=first.partition(), offset=first.offset())
        self._count("undecodable", len(rows))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Starts new partitions at what was appended within the window."""
        CONSUMER_REBALANCES.labels(Stage.LIVE).inc()
        starts: list[TopicPartition] = []
        while partitions:  # none where there are more consumers than partitions, or while others give theirs up
            try:
                starts = self._rewind(consumer, partitions)
                break
            except KafkaException as error:
                log.warning("rewind_failed", problem=str(error.args[0]), next_try_s=1)
                if self._stop.wait(1):
                    starts = partitions
                    break
        consumer.incremental_assign(starts)
        log.info("partitions_assigned", offsets={p.partition: p.offset for p in starts})

    def _rewind(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        self._watch.look()  # now, and not a second ago
        since_ms = self._clock() - self._window_ms - CLOCK_MARGIN_MS
        ends = kafka.end_offsets(consumer, partitions)
        wanted = [TopicPartition(self._topic, p.partition, since_ms) for p in partitions]
        starts = []
        for found in consumer.offsets_for_times(wanted, timeout=10):
            end = ends[self._topic, found.partition]
            start = found.offset if found.offset >= 0 else end  # below 0: nothing was appended since
            starts.append(TopicPartition(self._topic, found.partition, start))
            self._partitions[found.partition] = _Partition(end=end, next=start, ready=start >= end)
        self._count("rewinds", len(partitions))
        return starts

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._writer.settle()
        self._forget(partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions_lost", partitions=sorted(p.partition for p in partitions))
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        numbers = [p.partition for p in partitions]
        CONSUMER_REBALANCES.labels(Stage.LIVE).inc()
        for number in numbers:
            self._partitions.pop(number, None)
            for gauge in (CONSUMER_LAG, CONSUMER_WATERMARK):
                with suppress(KeyError):  # never set since we got the partition
                    gauge.remove(Stage.LIVE, number)
        self._newest.drop_partitions(numbers)


def _is_end(message: Message) -> bool:
    """Whether it is no record but the word that a partition is read to its end."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
