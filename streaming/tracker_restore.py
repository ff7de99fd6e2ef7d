"""How a tracker takes over a partition: what its predecessor believed, exactly.

    flight.tracker  ──► each aircraft's last state, at most a minute of reports behind
    flight.reports  ──► the reports since, up to the committed offset, judged once more and the verdicts thrown away

Judging is a pure function, so the second judgement ends where the first did. The reports rather than our own output are
read again because they also bring back what was dropped or held, and need no look at when which transaction ended.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from flight_platform import kafka
from flight_platform.codec import TrackingRow, decode_for_tracking
from flight_platform.errors import ServerUnavailableError
from flight_platform.model import address_of
from flight_platform.names import TOPIC_REPORTS, TOPIC_TRACKER
from flight_platform.settings import Settings
from streaming.tracker_state import Arrival, report_of, unpack
from streaming.tracking import Aircraft

log = structlog.get_logger()

STATE_EVERY_MS = 60_000  # of the partition's append time: how far a kept state may be behind
_REPLAYED_MS = STATE_EVERY_MS + 15_000  # the oldest report that may not be in any kept state, and some
_BATCH_RECORDS = 5_000
_READ_WAIT_S = 0.05  # a batch that is not full is waited for this long
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Restored:
    """A partition as its tracker left it.

    `unkept` has the aircraft with reports that no kept state knows of and when the first of these came (Unix
    milliseconds of Kafka's clock), oldest first.
    """

    aircraft: dict[str, Aircraft] = field(default_factory=dict)
    unkept: dict[str, int] = field(default_factory=dict)


def restore(settings: Settings, committed: dict[int, int]) -> dict[int, Restored]:
    """What is believed of the aircraft of these partitions after the reports before their committed offsets.

    Raises ServerUnavailableError where Kafka does not answer in time.
    """
    started = time.monotonic()
    reader = kafka.consumer(
        settings, group=settings.group("track-restore"), **{"enable.partition.eof": True, "group.protocol": "classic"}
    )
    restored = {number: Restored() for number in committed}
    known_to: dict[tuple[int, str], int] = {}
    try:
        for message in _states(settings, reader, list(committed)):
            number, icao24 = message.partition() or 0, (message.key() or b"").decode()
            aircraft = restored[number].aircraft
            if message.value() is None:
                aircraft.pop(icao24, None)
            else:
                state = unpack(address_of(icao24), message.value() or b"", number)
                aircraft[icao24], known_to[number, icao24] = state
        for message, row in _reports_since(settings, reader, committed):
            number, offset = message.partition() or 0, message.offset() or 0
            partition = restored[number]
            if row is not None and row[0] in partition.aircraft and offset >= known_to[number, row[0]]:
                arrival = Arrival(message.value() or b"", offset, message.timestamp()[1], number)
                partition.aircraft[row[0]].judge(report_of(row, arrival))
                partition.unkept.setdefault(row[0], arrival.appended_ms)
    finally:
        reader.close()
    for partition in restored.values():
        for known in partition.aircraft.values():
            known.changed = False
    log.info(
        "restored",
        partitions=len(restored),
        aircraft=sum(len(partition.aircraft) for partition in restored.values()),
        seconds=round(time.monotonic() - started, 2),
    )
    return restored


def _states(settings: Settings, reader: Consumer, partitions: list[int]) -> Iterator[Message]:
    """All kept states in their order. Waits for the transactions that a dead predecessor may have left open."""
    topic = settings.topic(TOPIC_TRACKER)
    _wait_for_open_transactions(kafka.admin(settings), [TopicPartition(topic, number) for number in partitions])
    yield from _read(reader, [TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])


def _wait_for_open_transactions(client: AdminClient, places: list[TopicPartition]) -> None:
    """Waits until all that is in the partitions now is committed or aborted."""
    ends = _ends(client, places, IsolationLevel.READ_UNCOMMITTED)
    deadline = time.monotonic() + _PATIENCE_S
    while any(end < ends[n] for n, end in _ends(client, places, IsolationLevel.READ_COMMITTED).items()):
        if time.monotonic() > deadline:
            raise ServerUnavailableError(f"a transaction in {places[0].topic} stayed open for {_PATIENCE_S:g} s")
        time.sleep(0.05)


def _ends(client: AdminClient, places: list[TopicPartition], isolation: IsolationLevel) -> dict[int, int]:
    latest = {place: OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
    futures = client.list_offsets(latest, isolation_level=isolation, request_timeout=10)
    return {place.partition: int(future.result().offset) for place, future in futures.items()}


def _reports_since(
    settings: Settings, reader: Consumer, committed: dict[int, int]
) -> Iterator[tuple[Message, TrackingRow | None]]:
    """The reports before the committed offsets that no kept state may know of, each partition in its order."""
    topic = settings.topic(TOPIC_REPORTS)
    judged = {
        number: end
        for number, end in committed.items()
        if end > reader.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[0]
    }
    last = _read(reader, [TopicPartition(topic, number, end - 1) for number, end in judged.items()], judged)
    since = [TopicPartition(topic, m.partition() or 0, max(0, m.timestamp()[1] - _REPLAYED_MS)) for m in last]
    starts = reader.offsets_for_times(since, timeout=10) if since else []
    reports = _read(reader, starts, judged)
    while batch := list(itertools.islice(reports, _BATCH_RECORDS)):
        yield from zip(batch, decode_for_tracking([message.value() or b"" for message in batch]), strict=True)


def _read(reader: Consumer, starts: list[TopicPartition], ends: dict[int, int] | None = None) -> Iterator[Message]:
    """What lies between these starts and ends; up to where the logs end now where no ends are given."""
    unfinished = {start.partition for start in starts}
    reader.assign(starts)
    deadline = time.monotonic() + _PATIENCE_S
    while unfinished:
        for message in reader.consume(_BATCH_RECORDS, _READ_WAIT_S):
            number, error = message.partition() or 0, message.error()
            if error is None:
                deadline = time.monotonic() + _PATIENCE_S
                end = ends[number] if ends else None
                if end is None or (message.offset() or 0) < end:
                    yield message
                if end is not None and (message.offset() or 0) >= end - 1:
                    unfinished.discard(number)
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(number)
            elif not error.retriable():
                raise KafkaException(error)
        if time.monotonic() > deadline:
            raise ServerUnavailableError(f"Kafka gave nothing of {starts[0].topic} for {_PATIENCE_S:g} s")
