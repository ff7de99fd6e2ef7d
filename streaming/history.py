"""The history consumer: every tracked report into Postgres exactly once, whatever dies, as often as it dies.

    flight.positions ──► pending ──► under way (one transaction: rows, quarantine, offsets, ledger) ──► history
                            ▲                                                      │
                            └── where to read from: ops.offsets, never Kafka ◄─────┘

One batch is under way, written by a thread of its own, while the next one is read and prepared: Postgres does not wait
for us, nor we for it. All else is one thread's, and the connection is whose turn it is: nobody else touches it while a
batch is under way. A batch that fails becomes pending again, before what came after it.

What is pending or under way is only a copy: a crash, a revoked partition or a fence drops it, and it is read again from
`ops.offsets`. Kafka is told the offsets too, for tools that show lag; nobody reads them back. How a batch is written
does not belong here (`flight_platform/history/writer.py`).
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from flight_platform import kafka
from flight_platform.errors import FencedError
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.writer import Batch, Prepared, Writer, Written, prepare
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
    HISTORY_ROWS,
    HISTORY_WRITE_DURATION,
)
from flight_platform.watermarks import advance
from streaming.process import Process, running

log = structlog.get_logger()

BATCH_RECORDS: Final = 20_000  # more win nothing: a row costs the same from 10,000 on
BATCH_AGE_S: Final = 0.25  # at a low rate a report is visible after this and one poll
POLL_S: Final = 0.05  # longer, and consume() waits to fill the batch
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 2.0  # what a catch-up waits for its start; a try costs a refused connection
REFUSED_PAUSE_S: Final = 10.0  # every record is read again
TELL_S: Final = 1.0
ASK_S: Final = 0.5  # for one partition's end; an answer takes a millisecond or two
LATENCY_SAMPLES: Final = 20  # of a batch: an observation costs a microsecond, a row four
STAGE: Final = str(Stage.HISTORY)
_OUTCOMES: Final = ("inserted", "conflict", "quarantined", "withheld", "late")  # of the metric of rows


def run(settings: Settings) -> None:
    """Runs until SIGTERM or Ctrl-C; waits for Kafka and for Postgres as long as they take."""
    with running(settings, Stage.HISTORY) as process:
        if kafka.wait_for_kafka(settings, process.stop.wait):
            with _Postgres(settings) as postgres:
                HistoryConsumer(settings, process, postgres).run()


class _Postgres:
    """The consumer's one connection: made when it is needed, dropped when it failed."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.postgres_url.get_secret_value()
        self._name = f"{settings.instance} history"
        self._connection: psycopg.Connection | None = None
        self._writer: Writer | None = None

    def __enter__(self) -> "_Postgres":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def connection(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                application_name=self._name,
                connect_timeout=3,
                tcp_user_timeout=10_000,  # ms: a server that is gone without a word counts as down
            )
        return self._connection

    def writer(self) -> Writer:
        if self._writer is None:
            self._writer = Writer(self.connection(), kafka.now_ms)
        return self._writer

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._writer = None


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch that is being written, and the messages that it was made of."""

    batch: Batch
    messages: list[Message]
    ending: Future[Written]


class HistoryConsumer:
    """One member of the group. `run` is the loop; all else is called from it, on its thread, save `_carry_out`."""

    def __init__(self, settings: Settings, process: Process, postgres: _Postgres) -> None:
        self._topic = settings.topic(TOPIC_POSITIONS)
        # The end of a partition is told, so that a span can cover the transaction markers behind its last record.
        self._consumer: Consumer = kafka.consumer(
            settings, group=settings.group(STAGE), **{"enable.partition.eof": True, **kafka.PREFETCH}
        )
        self._process = process
        self._postgres = postgres
        self._hands = ThreadPoolExecutor(1, "write")
        self._next: dict[int, int] = {}  # partitions that we write, each with the offset behind what is under way
        self._ends: dict[int, int] = {}  # where a partition's log ended when we last came to its end
        self._unplaced: set[int] = set()  # partitions that wait for their offset
        self._pending: list[Message] = []
        self._pending_since = 0.0
        self._under_way: _UnderWay | None = None
        self._outage_since: float | None = None  # None: Postgres did what it was last asked for
        self._pause_s = FIRST_PAUSE_S
        self._hold_s = 0.0  # to be waited before Postgres is asked again
        self._paused = False
        self._place_at = 0.0
        self._tell_at = 0.0

    def run(self) -> None:
        """Reads and writes until the process is asked to stop; then leaves the group at once."""
        CONSUMER_PAUSED.labels(STAGE).set(0)
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        try:
            while not self._process.stop.is_set():
                self._take(self._consumer.consume(max(BATCH_RECORDS - len(self._pending), 1), POLL_S))
                if self._under_way is not None and self._under_way.ending.done():
                    self._land()
                if self._unplaced and time.monotonic() >= self._place_at:
                    self._place()
                if self._is_due():
                    self._write()
                self._rest()
                self._tell()
        finally:
            self._land()
            self._consumer.close()
            self._hands.shutdown()

    def _take(self, messages: Sequence[Message]) -> None:
        if not self._pending:
            self._pending_since = time.monotonic()
        for message in messages:
            error, number = message.error(), message.partition()
            if number not in self._next:
                continue  # not placed: it will be read again from where history stands
            if error is None:
                self._pending.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ends[number] = message.offset() or 0
            else:
                log.warning("kafka_reports", problem=str(error))

    def _is_due(self) -> bool:
        age_s = time.monotonic() - self._pending_since
        return bool(self._pending) and (len(self._pending) >= BATCH_RECORDS or age_s >= BATCH_AGE_S)

    def _write(self) -> None:
        """Prepares what is pending, and lets it be written once the batch before is."""
        batch = self._batch()
        if batch is None:
            return
        # Not in an outage: each try would cost memory for a while, and most of them fail for want of a connection.
        prepared = prepare(batch) if self._outage_since is None else None
        if self._land():  # else what is pending is not what it was
            size = len(batch.values)
            messages, self._pending = self._pending[:size], self._pending[size:]
            self._next |= {number: span.stop for number, span in batch.spans.items()}
            self._under_way = _UnderWay(batch, messages, self._hands.submit(self._carry_out, batch, prepared))
        if self._outage_since is not None:
            self._land()  # until it is over, one at a time: what is taken in meanwhile would add up

    def _carry_out(self, batch: Batch, prepared: Prepared | None) -> Written:
        """On the writing thread."""
        with CONSUMER_BATCH_DURATION.labels(STAGE).time(), HISTORY_WRITE_DURATION.time():
            writer = self._postgres.writer()
            return writer.write_prepared(prepared or prepare(batch))

    def _land(self) -> bool:
        """Waits for the batch under way and takes note of how it ended; whether nothing has to be thought over.

        Postgres away is no reason to drop it: it is pending again, Kafka waits, and is polled meanwhile.
        """
        if self._under_way is None:
            return True
        flight, self._under_way = self._under_way, None
        try:
            written = flight.ending.result()
        except FencedError as error:
            log.warning("fenced", problem=str(error), records_dropped=len(flight.messages))
            self._forget(set(self._next))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._postgres.drop()
            self._take_back(flight)
            log.warning(
                "postgres_unavailable", problem=str(error).strip(), pending=len(self._pending), next_try_s=self._pause_s
            )
            self._outage_since = self._outage_since or time.monotonic()
            self._hold_s, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        except psycopg.Error as error:  # no outage: what is written or where is wrong, so begin afresh
            self._postgres.drop()
            log.exception("write_refused", problem=str(error).strip(), records_dropped=len(flight.messages))
            self._forget(set(self._next))
            self._hold_s = REFUSED_PAUSE_S
        else:
            self._settle(flight.batch, written)
            return True
        return False

    def _take_back(self, flight: _UnderWay) -> None:
        """What was under way is pending again, before all that came after it."""
        self._pending = flight.messages + self._pending
        self._next |= {number: span.start for number, span in flight.batch.spans.items()}

    def _batch(self) -> Batch | None:
        """What is pending as a batch, or the first of it; None where nothing is."""
        taken, left = self._pending[:BATCH_RECORDS], self._pending[BATCH_RECORDS:]
        size, come_again = len(taken), {message.partition() for message in left}
        partitions = np.fromiter((message.partition() for message in taken), dtype="i8", count=size)
        offsets = np.fromiter((message.offset() for message in taken), dtype="i8", count=size)
        spans: dict[int, Span] = {}
        for number in np.unique(partitions).tolist():
            start, read = self._next[number], offsets[partitions == number]
            if read[0] < start or (np.diff(read) <= 0).any():  # never seen; but the ledger must not depend on that
                log.error("records_out_of_order", partition=number, expected=start, first=int(read[0]))
                self._forget({number})
                return self._batch()
            behind = 0 if number in come_again else self._ends.get(number, 0)
            spans[number] = Span(start=start, stop=max(int(read[-1]) + 1, behind))
        if not spans:
            return None
        values = [message.value() or b"" for message in taken]
        return Batch(topic=self._topic, spans=spans, values=values, partitions=partitions, offsets=offsets)

    def _rest(self) -> None:
        """Waits where Postgres is away; takes more as soon as it is back, or nothing is left to try it with.

        Between two tries nothing is fetched: Kafka's clients throw away what they hold of a paused partition, and would
        fill up anew for each.
        """
        if self._hold_s:
            self._hold()
        elif self._paused and (self._outage_since is None or not self._pending):
            self._consumer.resume(self._consumer.assignment())
            self._paused = False
            CONSUMER_PAUSED.labels(STAGE).set(0)

    def _hold(self) -> None:
        """Takes nothing more for a while, but keeps polling: a member that does not poll loses its partitions."""
        held = self._consumer.assignment()
        self._consumer.pause(held)
        self._paused = True
        CONSUMER_PAUSED.labels(STAGE).set(len(held))
        self._process.beat.note = "waiting for Postgres"
        until, self._hold_s = time.monotonic() + self._hold_s, 0.0
        while time.monotonic() < until and not self._process.stop.is_set():
            self._take(self._consumer.consume(1_000, POLL_S))
            self._tell()

    def _settle(self, batch: Batch, written: Written) -> None:
        """The batch is written: what others see of it."""
        with suppress(KafkaException):  # for lag tools alone
            ends = [TopicPartition(self._topic, number, span.stop) for number, span in batch.spans.items()]
            self._consumer.commit(offsets=ends, asynchronous=True)
        CONSUMER_PAUSED.labels(STAGE).set(0)
        beat = self._process.beat
        beat.note = "writing"
        if self._outage_since is not None:
            log.info("postgres_is_back", away_s=round(time.monotonic() - self._outage_since, 1), lag=beat.lag_records)
            self._outage_since, self._pause_s = None, FIRST_PAUSE_S
        outcomes = {
            "rows": written.rows,
            "repeats": written.repeats,
            "quarantined": written.quarantined,
            "withheld": written.withheld,
        }
        beat.counts.update({**outcomes, "late": written.late, "batches": 1})
        for outcome, count in outcomes.items():
            CONSUMER_RECORDS.labels(STAGE, outcome).inc(count)
        for outcome, count in zip(_OUTCOMES, (*outcomes.values(), written.late), strict=True):
            HISTORY_ROWS.labels(outcome).inc(count)
        for number, newest_ms in written.newest_ms.items():
            CONSUMER_WATERMARK.labels(STAGE, str(number)).set(newest_ms / 1000)
            beat.watermark_ms = max(newest_ms, beat.watermark_ms or newest_ms)
        advance(beat.watermarks_ms, written.newest_by_source)
        now_ms = kafka.now_ms()
        step = max(1, len(written.received_ms) // LATENCY_SAMPLES)
        for received_ms in written.received_ms[::step].tolist():
            E2E_LATENCY.labels(STAGE).observe((now_ms - received_ms) / 1000)

    def _assigned(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        CONSUMER_REBALANCES.labels(STAGE).inc()
        numbers = {partition.partition for partition in assigned}
        self._forget(numbers)
        starts = self._starts(numbers)
        # Without an offset from Postgres a partition is taken at its end, where there is least to throw away.
        consumer.incremental_assign(
            [TopicPartition(self._topic, n, starts.get(n, OFFSET_END)) for n in sorted(numbers)]
        )
        self._follow(starts)

    def _revoked(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        CONSUMER_REBALANCES.labels(STAGE).inc()
        numbers = {partition.partition for partition in revoked}
        self._forget(numbers)
        self._unplaced -= numbers
        for number in numbers:
            with suppress(KeyError):
                CONSUMER_LAG.remove(STAGE, str(number))
        log.info("partitions_revoked", partitions=sorted(numbers))

    def _forget(self, numbers: set[int]) -> None:
        """Drops what is pending of these partitions; until they are placed again, what comes of them is dropped too."""
        self._land()  # what is under way may yet become pending again
        self._pending = [message for message in self._pending if message.partition() not in numbers]
        for number in numbers:
            self._next.pop(number, None)
            self._ends.pop(number, None)
        self._unplaced |= numbers

    def _place(self) -> None:
        """Reads partitions that have no place yet, or have lost it, from where history stands."""
        starts = self._starts(self._unplaced)
        if starts:
            self._consumer.incremental_unassign([TopicPartition(self._topic, number) for number in starts])
            self._consumer.incremental_assign([TopicPartition(self._topic, n, offset) for n, offset in starts.items()])
            self._follow(starts)

    def _starts(self, numbers: set[int]) -> dict[int, int]:
        """Where to read these partitions from; nothing where Kafka or Postgres does not tell: it is asked again."""
        self._land()  # the connection is free, and what stands in Postgres is where we are
        self._place_at = time.monotonic() + TELL_S
        try:
            logs = {
                number: Span(start=low, stop=high)
                for number in sorted(numbers)
                for low, high in [self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=5)]
            }
            return start_offsets(self._postgres.connection(), self._topic, logs)
        except psycopg.Error as error:
            self._postgres.drop()
            log.warning("postgres_unavailable", problem=str(error).strip(), unplaced=sorted(numbers), next_try_s=TELL_S)
        except (KafkaException, FencedError) as error:
            log.warning("partitions_not_placed", problem=str(error), unplaced=sorted(numbers), next_try_s=TELL_S)
        return {}

    def _follow(self, starts: dict[int, int]) -> None:
        self._next |= starts
        self._unplaced -= starts.keys()
        if starts:
            log.info("partitions_placed", offsets=starts)

    def _tell(self) -> None:
        """Lag, once a second: from what Kafka's answers said by the way, so that nobody is asked."""
        if time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + TELL_S
        lags: dict[int, int] = {}
        unwritten = {message.partition() for message in self._pending}  # read to the end is not written to the end
        under_way = {} if self._under_way is None else self._under_way.batch.spans
        for number, taken_to in self._next.items():
            written_to = under_way[number].start if number in under_way else taken_to
            behind = 0 if number in unwritten or number in under_way else self._ends.get(number, 0)
            lags[number] = max(0, self._end(number) - max(written_to, behind))
            CONSUMER_LAG.labels(STAGE, str(number)).set(lags[number])
        self._process.beat.lag_records = sum(lags.values())
        self._process.beat.partitions.look({number: (self._next[number], lag) for number, lag in lags.items()})

    def _end(self, number: int) -> int:
        """Where a partition's log ends. Nothing comes of a paused one, so that Kafka has to be asked."""
        place = TopicPartition(self._topic, number)
        if self._paused:
            with suppress(KafkaException):
                return self._consumer.get_watermark_offsets(place, timeout=ASK_S)[1]
        ends = self._consumer.get_watermark_offsets(place, cached=True)
        return ends[1] if ends else 0
