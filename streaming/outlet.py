"""A feed's way into Kafka: in order, nothing dropped, and memory bounded while Kafka is slow or away.

    put ──► flight ──► producer ──► acknowledged: the watermark moves          (Kafka takes what comes)
       └──► spool ──► flight ──► producer ──► acknowledged: the spool forgets  (a source that cannot repeat, Kafka away)

A flight is what is sent together: it counts when Kafka has acknowledged every record of it and of those before it.
Where the source can be asked again there is no spool: `put` waits, and so does the source. Otherwise nothing waits:

* Kafka is silent for PATIENCE_S, or slow (MARK records are on their way): what is on its way is written to the spool as
  well, and what comes goes there alone.
* Kafka acknowledges again: the spool is sent in order, what comes meanwhile queues behind it; when it is empty, reports
  go straight again.
* The topics grow (`open_to` says 0): what is on its way arrives, what comes goes to the spool alone. Afterwards a new
  producer sends it, since the old one knows the old number of partitions for minutes.

What a crash can lose is what was on its way and not yet in the spool: MARK records, at most PATIENCE_S old while Kafka
is away. A feed that is told to stop keeps these too, and the next run sends them. Of what is sent again after a stop, a
crash or a refusal, Kafka may have had a part without being able to say so: the tracker drops the repeats.

One thread serves the producer, so that acknowledgements do not wait for the next batch of the source.
"""

import json
import math
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from flight_platform.names import NOTE_HOLDING
from flight_platform.telemetry import INGEST_HELD, INGEST_OVERFLOWED
from flight_platform.watch.heartbeats import Heartbeat
from streaming.spool import Frame, Place, Spool

log = structlog.get_logger()

PATIENCE_S: Final = 5.0  # longer than an election of a partition's leader usually takes
MARK: Final = 10_000  # records on their way: some 8 MB, half a second at 20,000/s
PRODUCER_BOUNDS: Final = {
    "message.timeout.ms": 0,  # no report is given up because Kafka is away
    "queue.buffering.max.messages": 2 * MARK,
    "queue.buffering.max.kbytes": 65_536,
}
_LOW: Final = 5_000  # records on their way below which the spool is sent on
_FRAME_RECORDS: Final = 1_000
_FRAME_BYTES: Final = 1_000_000
_TURN_S: Final = 0.05
_FRAMES_A_TURN: Final = 2
_GIVE_WAY_S: Final = 0.001  # a lock is not fair: without this the source would starve while the spool is sent
_RETRY_S: Final = 1.0  # after a refusal
_FLUSH_S: Final = 15.0  # once told to stop, where nothing can take the place of Kafka
_TELL_S: Final = 1.0
_COMPLAIN_S: Final = 60.0
# What is wrong with the record itself: no second try would change it.
_NEVER_TAKEN: Final = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD}
_RECORD: Final = struct.Struct("<HHII")  # lengths of topic, key, headers and value

Headers = list[tuple[str, str | bytes | None]]


class Record(NamedTuple):
    """What Kafka is to take."""

    topic: str
    key: str | None
    value: bytes
    headers: Headers | None = None


class StoppedError(Exception):
    """The feed was told to stop while it waited for Kafka."""


class _Flight:
    """Records on their way. The thread that serves the producer counts `acknowledged`, the sender all else."""

    __slots__ = ("acknowledged", "begun", "newest_ms", "place", "problem", "records", "sent_at", "unsent_from")

    def __init__(self, records: Sequence[Record], newest_ms: int, place: Place | None) -> None:
        self.records, self.newest_ms, self.place = records, newest_ms, place
        self.acknowledged, self.unsent_from, self.begun, self.sent_at = 0, 0, False, time.monotonic()
        self.problem: KafkaError | None = None

    @property
    def complete(self) -> bool:
        """Whether Kafka has answered for each record."""
        return self.acknowledged == len(self.records)


class Outlet:
    """See above. `put` and `close` are for one thread; `ready`, called in another, waits for Kafka as it starts.

    `open_to` tells how many partitions reports may be sent to: 0 while the topics grow, None where Kafka does not say.
    """

    def __init__(
        self,
        new_producer: Callable[[], Producer],
        spool: Spool | None,
        beat: Heartbeat,
        stop: threading.Event,
        ready: Callable[[Callable[[float], bool]], bool] = lambda _stopped: True,
        open_to: Callable[[], int | None] = lambda: 1,
    ) -> None:
        self._new_producer, self._spool, self._beat, self._stop = new_producer, spool, beat, stop
        self._open_to = open_to
        self._producer = new_producer()
        self._sends_to: int | None = None  # partitions that the producer knows of; None before its first record
        self._guard = threading.Lock()  # for all below
        self._wanted = False  # by `put`
        self._flights: deque[_Flight] = deque()
        self._straight = 0  # flights of these that are in no spool
        self._again: deque[_Flight] = deque()  # without a spool: to be sent again
        self._held = spool is not None  # into the spool, not into the producer
        self._answered = float("-inf")  # when Kafka last acknowledged anything
        self._held_since = time.monotonic()
        self._retry_at = 0.0
        self._tell_at = 0.0
        self._complaints = _Complaints(beat.source)
        self._is_ready, self._closing, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="outlet", daemon=True)
        self._thread.start()
        threading.Thread(target=self._wait_for_kafka, args=(ready,), name="wait for Kafka", daemon=True).start()

    @property
    def fill(self) -> float:
        """How much of what may be held is held, 0 to 1."""
        return self._spool.fill if self._spool is not None and self._held else 0.0

    def put(self, records: list[Record], newest_ms: int) -> None:
        """Takes records; the watermark becomes `newest_ms` when Kafka has them all. Raises StoppedError."""
        parts = list(_parts(records))
        for number, part in enumerate(parts, 1):
            flight = _Flight(part, newest_ms if number == len(parts) else 0, None)
            if self._spool is None:
                self._send_patiently(flight)
            else:
                self._wanted = True
                with self._guard:
                    self._wanted = False
                    self._send_or_hold(flight, self._spool)

    def close(self) -> None:
        """Waits for what is on its way, as long as Kafka answers; what it does not take is left in the spool. Without
        one it waits for Kafka until it is told to stop: that a file has ended is no reason to lose its last reports."""
        self._closing.set()
        deadline = time.monotonic() + PATIENCE_S if self._spool is not None else math.inf
        while self._is_worth_waiting() and time.monotonic() < deadline:
            if deadline == math.inf and self._stop.is_set():
                deadline = time.monotonic() + _FLUSH_S
            self._closed.wait(_TURN_S / 2)
        self._closed.set()
        self._thread.join()
        left = sum(len(flight.records) - flight.acknowledged for flight in (*self._flights, *self._again))
        if self._spool is not None:
            self._secure(self._spool)
            self._spool.rewind()
            self._flights.clear()
            self._tell()
            if self._spool.waiting:
                log.warning("held_for_the_next_run", reports=self._spool.waiting, bytes=self._spool.size_bytes)
            self._spool.close()
            self._producer.purge()
        elif left:
            log.error("not_acknowledged_at_stop", reports=left, hint="Kafka did not answer in time; replay the file")

    def _is_worth_waiting(self) -> bool:
        with self._guard:
            return bool(self._flights or self._again) and (self._spool is None or not self._is_silent())

    def _send_patiently(self, flight: _Flight) -> None:
        """Where the source can wait: sends as Kafka's queue has room."""
        while True:
            with self._guard:
                if flight.begun and flight not in self._flights:
                    return  # taken back, to be sent again whole
                may = flight.begun or self._may_send()
                if may and not self._again and len(self._producer) < MARK and self._send(flight):
                    return
            if self._stop.wait(_TURN_S):
                raise StoppedError

    def _send_or_hold(self, flight: _Flight, spool: Spool) -> None:
        may = self._may_send()
        if may and not self._held and len(self._producer) < MARK:
            if self._send(flight):
                return
            rest, flight.records = flight.records[flight.unsent_from :], flight.records[: flight.unsent_from]
            flight = _Flight(rest, flight.newest_ms, None)
        if not self._held:
            self._secure(spool)
            if may:
                self._complaints.slow(len(self._producer))
            elif self._open_to() is None:
                self._complaints.silent()
        self._keep(flight, spool)

    def _may_send(self) -> bool:
        """Whether something new may be begun; makes the producer one that knows today's partitions."""
        partitions = self._open_to()
        if not partitions:
            return False
        if self._sends_to not in (partitions, None):
            log.info("topics_have_grown", partitions=partitions, before=self._sends_to)
            self._begin_afresh()
        self._sends_to = partitions
        return True

    def _secure(self, spool: Spool) -> None:
        """From now on all goes through the spool. What is on its way is written to it, too: as given, but not done."""
        for flight in self._flights:
            if flight.place is None:
                self._keep(flight, spool)
                found = spool.next()  # itself: there was nothing else to give; or the disk has failed
                flight.place = found[0] if found else Place(0, 0)
        self._straight = 0
        self._held, self._held_since = True, time.monotonic()

    def _keep(self, flight: _Flight, spool: Spool) -> None:
        overflowed = spool.append(Frame(pack(flight.records), len(flight.records), flight.newest_ms))
        self._beat.counts["held"] += len(flight.records)
        if overflowed:
            self._beat.counts["overflowed"] += overflowed
            self._complaints.overflowed(overflowed, spool.size_bytes)

    def _send(self, flight: _Flight) -> bool:
        """Gives the producer what it has room for; whether that was all. Once begun, a flight is on its way."""
        if not flight.begun:
            flight.begun = True
            self._flights.append(flight)
            self._straight += flight.place is None

        def answered(error: KafkaError | None, _message: object) -> None:
            if error is None:
                self._answered = time.monotonic()
            elif error.code() in _NEVER_TAKEN:
                log.error("record_refused_by_kafka", problem=str(error))
            else:
                flight.problem = error
            flight.acknowledged += 1

        for topic, key, value, headers in flight.records[flight.unsent_from :]:
            try:
                if headers is None:
                    self._producer.produce(topic, value, key, on_delivery=answered)
                else:
                    self._producer.produce(topic, value, key, on_delivery=answered, headers=headers)
            except BufferError:
                return False
            except KafkaException as error:  # too large, or a producer that Kafka has given up: answered at once
                answered(error.args[0], None)
            flight.unsent_from += 1
        return True

    def _wait_for_kafka(self, ready: Callable[[Callable[[float], bool]], bool]) -> None:
        if ready(self._closing.wait):
            self._is_ready.set()

    def _serve(self) -> None:
        while not self._closed.is_set():
            with self._guard:
                busy = self._settle() and self._send_held()
                if time.monotonic() >= self._tell_at:
                    self._tell()
            if self._wanted:
                time.sleep(_GIVE_WAY_S)
            self._producer.poll(0 if busy else _TURN_S)

    def _settle(self) -> bool:
        """Books what Kafka has answered; whether it answers."""
        while self._flights and self._flights[0].complete and self._flights[0].problem is None:
            flight = self._flights.popleft()
            self._straight -= flight.place is None
            if flight.place is not None and self._spool is not None:
                self._spool.done(flight.place)
            self._beat.counts["acknowledged"] += len(flight.records)
            if flight.newest_ms:
                self._beat.watermark_ms = max(self._beat.watermark_ms or 0, flight.newest_ms)
        problem = self._flights[0].problem if self._flights else None
        if problem is not None:
            log.error("refused_by_kafka", problem=str(problem), next_try_s=_RETRY_S)
            self._retry_at = time.monotonic() + _RETRY_S
            self._begin_afresh()
        elif self._is_silent() and self._straight and self._spool is not None:
            self._complaints.silent()
            self._secure(self._spool)
        return not self._is_silent()

    def _is_silent(self) -> bool:
        if not self._flights:
            return False
        return time.monotonic() - max(self._answered, self._flights[0].sent_at) > PATIENCE_S

    def _begin_afresh(self) -> None:
        """Takes back what is on its way and sends it by a producer that knows nothing of it."""
        if self._spool is not None:
            self._secure(self._spool)
            self._spool.rewind()
        else:
            self._again.extend(_Flight(f.records, f.newest_ms, None) for f in self._flights)
        self._flights.clear()
        self._straight = 0
        self._producer.purge()
        self._producer = self._new_producer()

    def _send_held(self) -> bool:
        """Sends on what waits; whether there may be more to send at once."""
        if time.monotonic() < self._retry_at or not self._is_ready.is_set():
            return False
        if self._closing.is_set() and self._spool is not None:
            return False  # it is safe where it is
        if self._flights and self._flights[-1].unsent_from < len(self._flights[-1].records):
            return self._spool is not None and self._send(self._flights[-1])
        if not self._may_send():
            return False
        if self._spool is None:
            return bool(self._again) and self._send(self._again.popleft())
        return self._held and self._send_spool(self._spool)

    def _send_spool(self, spool: Spool) -> bool:
        for _ in range(_FRAMES_A_TURN):
            if len(self._producer) >= _LOW:
                return False
            found = spool.next()
            if found is None:
                # All is on its way; that it also arrives, Kafka must have shown since it was last in doubt.
                self._held = bool(self._flights) and self._answered < self._held_since
                if not self._held:
                    self._complaints.over(time.monotonic() - self._held_since)
                return False
            place, frame = found
            if not self._send(_Flight(unpack(frame.payload), frame.newest_ms, place)):
                return False
        return True

    def _tell(self) -> None:
        """What waits and why, once a second."""
        self._tell_at = time.monotonic() + _TELL_S
        waiting = self._spool.waiting if self._spool is not None else 0
        if self._spool is not None:
            self._spool.keep_cursor()
        INGEST_HELD.labels(self._beat.source).set(waiting)
        self._beat.lag_records = waiting + len(self._producer)
        away = self._is_silent() or (self._held and time.monotonic() - self._answered > PATIENCE_S)
        if away and self._open_to() != 0 and time.monotonic() - self._held_since > PATIENCE_S:
            self._complaints.silent()  # it may have been so from the start
        self._beat.note = NOTE_HOLDING if self._open_to() == 0 else "waiting for Kafka" if away else "running"


class _Complaints:
    """Says that Kafka is silent or, once a minute, slow, that it is over, and loudly that reports are lost."""

    def __init__(self, source: str) -> None:
        self._source, self._records, self._next_at, self._slow_next_at = source, 0, 0.0, 0.0
        self._said = False  # and not yet that it is over
        self._said_silent = False
        INGEST_OVERFLOWED.labels(source)  # 0 until it happens: what is absent raises no alert

    def silent(self) -> None:
        if not self._said_silent:
            log.warning("kafka_is_silent", for_s=PATIENCE_S, hint="what comes is held on disk until it answers")
        self._said = self._said_silent = True

    def slow(self, on_their_way: int) -> None:
        if time.monotonic() >= self._slow_next_at:
            log.warning("kafka_is_slow", on_their_way=on_their_way, hint="what comes is held on disk meanwhile")
            self._slow_next_at = time.monotonic() + _COMPLAIN_S
            self._said = True

    def over(self, after_s: float) -> None:
        if self._said:
            log.info("kafka_takes_all_again", after_s=round(after_s, 1))
        self._said = self._said_silent = False

    def overflowed(self, records: int, held_bytes: int) -> None:
        INGEST_OVERFLOWED.labels(self._source).inc(records)
        self._records += records
        if time.monotonic() >= self._next_at:
            log.error(
                "spool_overflowed",
                reports_lost=self._records,
                held_bytes=held_bytes,
                hint="Kafka has been away for longer than FLIGHT_SPOOL_BYTES holds: the oldest reports go",
            )
            self._records, self._next_at = 0, time.monotonic() + _COMPLAIN_S


def _parts(records: list[Record]) -> Iterator[list[Record]]:
    """Records in their order, in pieces that are sent together: neither long nor large."""
    for start in range(0, len(records), _FRAME_RECORDS):
        part = records[start : start + _FRAME_RECORDS]
        if sum([len(record.value) for record in part]) <= _FRAME_BYTES:
            yield part
        else:
            yield from _small_parts(part)


def _small_parts(records: list[Record]) -> Iterator[list[Record]]:
    """The same where some of the records are large."""
    part: list[Record] = []
    size = 0
    for record in records:
        if part and size + len(record.value) > _FRAME_BYTES:
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record.value)
    yield part


def pack(records: Sequence[Record]) -> bytes:
    """Records as the payload of a frame."""
    pieces: list[bytes] = []
    for record in records:
        topic, key = record.topic.encode(), (record.key or "").encode()
        headers = b""
        if record.headers is not None:
            headers = json.dumps([(name, _text(value)) for name, value in record.headers]).encode()
        pieces += (_RECORD.pack(len(topic), len(key), len(headers), len(record.value)), topic, key, headers)
        pieces.append(record.value)
    return b"".join(pieces)


def unpack(payload: bytes) -> list[Record]:
    """The records in the payload of a frame."""
    records: list[Record] = []
    at = 0
    while at < len(payload):
        topic, key, headers, value = _RECORD.unpack_from(payload, at)
        key_at = at + _RECORD.size + topic
        headers_at = key_at + key
        value_at = headers_at + headers
        found: Headers | None = None
        if headers:
            found = [(name, text and text.encode()) for name, text in json.loads(payload[headers_at:value_at])]
        name = payload[at + _RECORD.size : key_at].decode()
        at = value_at + value
        records.append(Record(name, payload[key_at:headers_at].decode() or None, payload[value_at:at], found))
    return records


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
