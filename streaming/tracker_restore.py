"""How a tracker takes over a partition: what its predecessor believed, exactly.

    flight.tracker  ──► each aircraft's last state, at most a minute of reports behind
    flight.reports  ──► the reports since, up to the committed offset, judged once more and the verdicts thrown away

Judging is a pure function, so the second judgement ends where the first did. The reports rather than our own output are
read again because they also bring back what was dropped or held, and need no look at when which transaction ended.
"""

import itertools
import time
from collections.abc import Iterator

import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
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
_PATIENCE_S = 30.0


def restore(settings: Settings, partition: int, committed: int) -> tuple[dict[str, Aircraft], dict[str, int]]:
    """What is believed of the aircraft of a partition after the reports before the committed offset.

    Also, for the aircraft with reports that no kept state knows of, when the first of these came (Unix milliseconds of
    Kafka's clock), oldest first. Raises ServerUnavailableError where Kafka does not answer in time.
    """
    started = time.monotonic()
    reader = kafka.consumer(
        settings, group=settings.group("track-restore"), **{"enable.partition.eof": True, "group.protocol": "classic"}
    )
    try:
        states = _states(settings, reader, partition)
        aircraft: dict[str, Aircraft] = {}
        known_to: dict[str, int] = {}
        for icao24, state in states.items():
            aircraft[icao24], known_to[icao24] = unpack(address_of(icao24), state)
        unkept: dict[str, int] = {}
        for message, row in _reports_since(settings, reader, partition, committed):
            arrival = Arrival(message.value() or b"", message.offset() or 0, message.timestamp()[1])
            if row is not None and arrival.offset >= known_to.get(row[0], committed):
                aircraft[row[0]].judge(report_of(row, arrival))
                unkept.setdefault(row[0], arrival.appended_ms)
    finally:
        reader.close()
    for known in aircraft.values():
        known.changed = False
    seconds = round(time.monotonic() - started, 2)
    log.info("partition_restored", partition=partition, aircraft=len(aircraft), again=len(unkept), seconds=seconds)
    return aircraft, unkept


def _states(settings: Settings, reader: Consumer, partition: int) -> dict[str, bytes]:
    """The newest state of each aircraft. Waits for the transaction that a dead predecessor may have left open."""
    place = TopicPartition(settings.topic(TOPIC_TRACKER), partition)
    _wait_for_open_transactions(kafka.admin(settings), place)
    states: dict[str, bytes] = {}
    for message in _read_to_end(reader, TopicPartition(place.topic, partition, _low(reader, place))):
        key, value = (message.key() or b"").decode(), message.value()
        if value is None:
            states.pop(key, None)
        else:
            states[key] = value
    return states


def _wait_for_open_transactions(client: AdminClient, place: TopicPartition) -> None:
    """Waits until all that is in the partition now is committed or aborted."""
    end = _end(client, place, IsolationLevel.READ_UNCOMMITTED)
    deadline = time.monotonic() + _PATIENCE_S
    while _end(client, place, IsolationLevel.READ_COMMITTED) < end:
        if time.monotonic() > deadline:
            raise ServerUnavailableError(f"a transaction in {place.topic} stayed open for {_PATIENCE_S:g} s")
        time.sleep(0.05)


def _end(client: AdminClient, place: TopicPartition, isolation: IsolationLevel) -> int:
    futures = client.list_offsets(
        {place: OffsetSpec.latest()},  # type: ignore[no-untyped-call]
        isolation_level=isolation,
        request_timeout=10,
    )
    return int(next(iter(futures.values())).result().offset)


def _low(reader: Consumer, place: TopicPartition) -> int:
    return int(reader.get_watermark_offsets(place, timeout=10)[0])


def _reports_since(
    settings: Settings, reader: Consumer, partition: int, committed: int
) -> Iterator[tuple[Message, TrackingRow | None]]:
    """The reports before the committed offset that no kept state may know of."""
    place = TopicPartition(settings.topic(TOPIC_REPORTS), partition)
    if committed <= _low(reader, place):
        return
    last = next(_read(reader, TopicPartition(place.topic, partition, committed - 1), committed), None)
    if last is None:
        return
    since_ms = max(0, last.timestamp()[1] - _REPLAYED_MS)
    start = reader.offsets_for_times([TopicPartition(place.topic, partition, since_ms)], timeout=10)[0].offset
    reports = _read(reader, TopicPartition(place.topic, partition, start), committed)
    while batch := list(itertools.islice(reports, _BATCH_RECORDS)):
        yield from zip(batch, decode_for_tracking([message.value() or b"" for message in batch]), strict=True)


def _read(reader: Consumer, start: TopicPartition, end: int) -> Iterator[Message]:
    for message in _read_to_end(reader, start):
        if (message.offset() or 0) >= end:
            return
        yield message
        if (message.offset() or 0) >= end - 1:
            return


def _read_to_end(reader: Consumer, start: TopicPartition) -> Iterator[Message]:
    reader.assign([start])
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        for message in reader.consume(_BATCH_RECORDS, 0.5):
            error = message.error()
            if error is None:
                deadline = time.monotonic() + _PATIENCE_S
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            elif not error.retriable():
                raise KafkaException(error)
        if time.monotonic() > deadline:
            raise ServerUnavailableError(f"Kafka gave nothing of {start.topic} for {_PATIENCE_S:g} s")
