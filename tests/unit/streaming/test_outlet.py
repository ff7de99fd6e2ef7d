"""The outlet against a producer that answers as it is told: order, what is held, what is lost, what is tried again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError

from flight_platform.names import NOTE_HOLDING, Stage
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from flight_platform.watch.heartbeats import Heartbeat
from streaming import outlet as module
from streaming.outlet import Outlet, Record, StoppedError, pack, unpack
from streaming.spool import Spool


class Broker:
    """What Kafka has taken, and whether it answers."""

    def __init__(self) -> None:
        self.answers = True
        self.room = 10**9
        self.problem: Callable[[Any], KafkaError | None] = lambda _value: None
        self.taken: list[Any] = []
        self.producers = 0

    def producer(self) -> "Producer":
        self.producers += 1
        return Producer(self)


class Producer:
    """As much of confluent_kafka's as the outlet uses."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._queue = broker, list[tuple[Any, Any]]()

    def __len__(self) -> int:
        return len(self._queue)

    def produce(self, topic: str, value: bytes, key: str | None, *, on_delivery: Any, headers: Any = None) -> None:
        if len(self._queue) >= self._broker.room:
            raise BufferError
        self._queue.append(((topic, key, value, headers), on_delivery))

    def poll(self, timeout_s: float) -> None:
        if not self._broker.answers or not self._queue:
            threading.Event().wait(min(timeout_s, 0.005))
            return
        queue, self._queue = self._queue, []
        for record, answered in queue:
            problem = self._broker.problem(record[2])
            if problem is None:
                self._broker.taken.append(record)
            answered(problem, None)

    def purge(self) -> None:
        self._queue.clear()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PATIENCE_S": 0.2, "_RETRY_S": 0.05, "_TELL_S": 0.05, "_FLUSH_S": 0.2}.items():
        monkeypatch.setattr(module, name, seconds)


@contextmanager
def opened(
    broker: Broker, folder: Path | None, bound: int = 10_000_000, open_to: Callable[[], int | None] = lambda: 4
) -> Iterator[tuple[Outlet, Heartbeat]]:
    """An outlet with a spool in the folder, or without one."""
    beat = Heartbeat(Settings.read(), Stage.FEED, source="test")
    spool = None if folder is None else Spool(folder, bound)
    outlet = Outlet(cast(Any, broker.producer), spool, beat, threading.Event(), open_to=open_to)
    try:
        yield outlet, beat
    finally:
        outlet.close()


def reports(start: int, stop: int) -> list[Record]:
    return [Record("reports", f"{number % 7:06x}", str(number).encode()) for number in range(start, stop)]


def numbers(broker: Broker) -> list[int]:
    return [int(value) for _, _, value, _ in broker.taken]


def test_records_survive_the_disk() -> None:
    kept = [
        Record("reports", "3c6444", b"\x00\xff"),
        Record("letters", None, b"", [("reason", b"undecodable"), ("detail", "Zürich".encode()), ("x", None)]),
        Record("letters", None, b"no headers", []),
    ]
    assert [tuple(record) for record in unpack(pack(kept))] == [tuple(record) for record in kept]


def test_pieces_are_neither_long_nor_large() -> None:
    sizes = [10] * 1_500 + [400_000] * 4 + [2_000_000, 10, 10]
    records = [Record("reports", str(number), bytes(size)) for number, size in enumerate(sizes)]
    pieces = list(module._parts(records))
    assert [record for piece in pieces for record in piece] == records
    assert max(map(len, pieces)) <= 1_000
    assert all(len(piece) == 1 or sum(len(record.value) for record in piece) <= 1_000_000 for piece in pieces)
    assert len(pieces) < 10


def test_the_watermark_moves_by_acknowledgement_alone(broker: Broker, tmp_path: Path) -> None:
    with opened(broker, tmp_path) as (outlet, beat):
        outlet.put(reports(0, 10), 1_000)
        wait_until(lambda: beat.watermark_ms == 1_000)
        broker.answers = False
        outlet.put(reports(10, 2_500), 2_000)
        wait_until(lambda: beat.note == "waiting for Kafka")
        assert (beat.watermark_ms, beat.counts["acknowledged"]) == (1_000, 10)
        broker.answers = True
        wait_until(lambda: beat.watermark_ms == 2_000)
        wait_until(lambda: beat.note == "running" and beat.lag_records == 0)
    assert numbers(broker) == list(range(2_500))
    assert beat.counts["acknowledged"] == 2_500


def test_what_comes_meanwhile_queues_behind_what_is_held(broker: Broker, tmp_path: Path) -> None:
    with opened(broker, tmp_path) as (outlet, beat):
        wait_until(lambda: not outlet._held)
        broker.answers = False
        outlet.put(reports(0, 3_000), 1)
        wait_until(lambda: beat.counts["held"] == 3_000, what="what is on its way is kept as well")
        outlet.put(reports(3_000, 30_000), 2)
        wait_until(lambda: (beat.lag_records or 0) >= 30_000, what="the lag is told")
        broker.answers = True
        for start in range(30_000, 60_000, 1_000):
            outlet.put(reports(start, start + 1_000), start)
        wait_until(lambda: beat.lag_records == 0)
    assert numbers(broker) == list(range(60_000))
    assert list(tmp_path.glob("*.spool")) == []


def test_a_slow_kafka_fills_the_disk_and_not_the_memory(broker: Broker, tmp_path: Path) -> None:
    broker.room = 2 * module.MARK
    with opened(broker, tmp_path) as (outlet, beat):
        wait_until(lambda: not outlet._held)
        broker.answers = False
        outlet.put(reports(0, 50_000), 1)
        assert beat.counts["held"] >= 50_000 - module.MARK - 1_000
        broker.answers = True
        wait_until(lambda: beat.lag_records == 0 and len(broker.taken) == 50_000)
    assert numbers(broker) == list(range(50_000))


def test_what_a_stopped_feed_holds_is_sent_by_the_next(broker: Broker, tmp_path: Path) -> None:
    with opened(broker, tmp_path) as (outlet, _):
        wait_until(lambda: not outlet._held)
        broker.answers = False
        outlet.put(reports(0, 1_500), 1)
    assert broker.taken == []
    broker.answers = True
    with opened(broker, tmp_path) as (outlet, beat):
        outlet.put(reports(1_500, 2_000), 2)
        wait_until(lambda: beat.watermark_ms == 2)
    assert numbers(broker) == list(range(2_000))


def test_overflow_loses_the_oldest_and_counts_them(broker: Broker, tmp_path: Path) -> None:
    with opened(broker, tmp_path, bound=100_000) as (outlet, beat):
        broker.answers = False
        for start in range(0, 100_000, 500):
            outlet.put(reports(start, start + 500), start)
        assert outlet.fill > 0.9
        assert beat.counts["overflowed"] > 50_000
        broker.answers = True
        wait_until(lambda: beat.lag_records == 0 and beat.watermark_ms == 99_500)
    kept = numbers(broker)
    assert kept[-1] == 99_999
    # What was on its way when it was overtaken by the bound may come all the same; then it was not lost.
    assert len(set(kept)) == 100_000 - beat.counts["overflowed"]


@pytest.mark.parametrize("holds", [True, False])
def test_a_refusal_is_tried_again_by_a_new_producer(broker: Broker, tmp_path: Path, holds: bool) -> None:
    broker.problem = lambda _value: KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART) if broker.producers < 3 else None
    with opened(broker, tmp_path if holds else None) as (outlet, beat):
        outlet.put(reports(0, 100), 7)
        wait_until(lambda: beat.watermark_ms == 7)
    assert numbers(broker) == list(range(100))


def test_a_record_that_kafka_never_takes_holds_up_no_other(broker: Broker, tmp_path: Path) -> None:
    broker.problem = lambda value: KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if value == b"50" else None
    with opened(broker, tmp_path) as (outlet, beat):
        outlet.put(reports(0, 100), 7)
        wait_until(lambda: beat.watermark_ms == 7)
    assert numbers(broker) == [number for number in range(100) if number != 50]


def test_a_source_that_can_repeat_waits(broker: Broker) -> None:
    broker.room = 1_500
    with opened(broker, None) as (outlet, beat):
        broker.answers = False
        putting = threading.Thread(target=outlet.put, args=(reports(0, 5_000), 3))
        putting.start()
        wait_until(lambda: beat.note == "waiting for Kafka")
        assert putting.is_alive()
        broker.answers = True
        putting.join(10)
        wait_until(lambda: beat.watermark_ms == 3)
    assert numbers(broker) == list(range(5_000))


def test_the_end_of_a_file_is_no_reason_to_lose_its_last_reports(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FLUSH_S", 0.05)
    with opened(broker, None) as (outlet, _):
        broker.answers = False
        outlet.put(reports(0, 100), 1)
        closing = threading.Thread(target=outlet.close)
        closing.start()
        closing.join(0.5)
        assert closing.is_alive(), "it waits for Kafka, for longer than one that is told to stop"
        broker.answers = True
        closing.join(10)
    assert numbers(broker) == list(range(100))


def test_a_stop_ends_the_wait(broker: Broker) -> None:
    broker.answers, broker.room = False, 10
    with opened(broker, None) as (outlet, _):
        outlet._stop.set()
        with pytest.raises(StoppedError):
            outlet.put(reports(0, 100), 1)


class Layout:
    """How many partitions there are; 0 while topics grow, None where nobody knows."""

    def __init__(self) -> None:
        self.partitions: int | None = 4

    def __call__(self) -> int | None:
        return self.partitions


@pytest.mark.parametrize("closed", [0, None])
def test_while_topics_grow_a_feed_holds_and_then_sends_by_a_new_producer(
    broker: Broker, tmp_path: Path, closed: int | None
) -> None:
    layout = Layout()
    with opened(broker, tmp_path, open_to=layout) as (outlet, beat):
        wait_until(lambda: not outlet._held)
        outlet.put(reports(0, 500), 1)
        wait_until(lambda: beat.watermark_ms == 1)
        layout.partitions = closed
        outlet.put(reports(500, 5_000), 2)
        wait_until(lambda: beat.lag_records == 4_500, what="all that came is held")
        if closed == 0:
            wait_until(lambda: beat.note == NOTE_HOLDING)
        assert numbers(broker) == list(range(500))
        layout.partitions = 6
        wait_until(lambda: beat.watermark_ms == 2 and beat.lag_records == 0)
        outlet.put(reports(5_000, 5_100), 3)
        wait_until(lambda: beat.watermark_ms == 3)
    assert numbers(broker) == list(range(5_100))
    assert broker.producers == 2, "the old one knows the old partitions"


def test_a_growth_that_was_given_up_needs_no_new_producer(broker: Broker, tmp_path: Path) -> None:
    layout = Layout()
    with opened(broker, tmp_path, open_to=layout) as (outlet, beat):
        outlet.put(reports(0, 10), 1)
        wait_until(lambda: beat.watermark_ms == 1)
        layout.partitions = 0
        outlet.put(reports(10, 20), 2)
        layout.partitions = 4
        wait_until(lambda: beat.watermark_ms == 2)
    assert (numbers(broker), broker.producers) == (list(range(20)), 1)


def test_a_source_that_can_repeat_waits_while_topics_grow(broker: Broker) -> None:
    layout = Layout()
    with opened(broker, None, open_to=layout) as (outlet, beat):
        outlet.put(reports(0, 10), 1)
        wait_until(lambda: beat.watermark_ms == 1)
        layout.partitions = 0
        putting = threading.Thread(target=outlet.put, args=(reports(10, 3_000), 2))
        putting.start()
        wait_until(lambda: beat.note == NOTE_HOLDING)
        assert putting.is_alive()
        assert numbers(broker) == list(range(10))
        layout.partitions = 6
        putting.join(10)
        wait_until(lambda: beat.watermark_ms == 2)
    assert (numbers(broker), broker.producers) == (list(range(3_000)), 2)
