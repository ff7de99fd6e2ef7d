"""The history consumer's books: what is pending, what a batch covers, what is dropped. Real servers: integration."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psycopg
import pytest
from confluent_kafka import OFFSET_END, KafkaError, TopicPartition
from structlog.testing import capture_logs

from flight_platform.errors import FencedError
from flight_platform.history.offsets import Span
from flight_platform.history.writer import Batch, Prepared, Written
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.heartbeats import Heartbeat
from streaming import history
from streaming.process import Process

TOPIC = "flight.positions"


class FakeMessage:
    """A record, or with `eof` the end of its partition."""

    def __init__(self, partition: int, offset: int, *, eof: bool = False) -> None:
        self._place = (partition, offset)
        self._error = SimpleNamespace(code=lambda: KafkaError._PARTITION_EOF) if eof else None

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def value(self) -> bytes:
        return b"%d:%d" % self._place

    def error(self) -> Any:
        return self._error


class FakeConsumer:
    """Remembers what it is told; partitions hold offsets 0 to 100."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[tuple[int, int]]]] = []
        self.queue: list[FakeMessage] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def remember(partitions: list[TopicPartition] | None = None, **given: Any) -> None:
            places = partitions or given.get("offsets") or []
            self.calls.append((name, [(place.partition, place.offset) for place in places]))

        return remember

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, 0)]

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 0, 100

    def consume(self, *_: Any) -> list[FakeMessage]:
        taken, self.queue = self.queue, []
        return taken


class FakePostgres:
    """Stands for `_Postgres` and its writer; `answers` are raised or, where there are none, all is written."""

    def __init__(self) -> None:
        self.offsets = {0: 0, 1: 40}
        self.batches: list[Batch] = []
        self.answers: list[Exception] = []
        self.drops = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def connection(self) -> "FakePostgres":
        return self

    def writer(self) -> "FakePostgres":
        return self

    def drop(self) -> None:
        self.drops += 1

    def write_prepared(self, prepared: Prepared) -> Written:
        self.may_go_on.wait()
        if self.answers:
            raise self.answers.pop(0)
        self.batches.append(prepared.batch)
        size = len(prepared.batch.values)
        return Written(
            rows=size,
            repeats=0,
            quarantined=0,
            late=0,
            newest_ms={0: 5_000},
            newest_by_source={"paris": 6_000},
            received_ms=np.full(size, 4_000),
        )


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeConsumer:
    fake = FakeConsumer()
    monkeypatch.setattr("streaming.history.kafka.consumer", lambda *_, **__: fake)
    return fake


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> FakePostgres:
    fake = FakePostgres()

    def start(_: Any, __: str, logs: dict[int, Span]) -> dict[int, int]:
        if fake.answers:
            raise fake.answers.pop(0)
        return {number: fake.offsets[number] for number in logs}

    monkeypatch.setattr(history, "start_offsets", start)
    monkeypatch.setattr(history, "FIRST_PAUSE_S", 0.001)
    return fake


@pytest.fixture
def consumer(kafka: FakeConsumer, postgres: FakePostgres) -> history.HistoryConsumer:
    settings = Settings.read()
    process = Process(threading.Event(), Heartbeat(settings, Stage.HISTORY))
    return history.HistoryConsumer(settings, process, cast(history._Postgres, postgres))


def assign(consumer: history.HistoryConsumer, kafka: FakeConsumer, *numbers: int) -> None:
    consumer._assigned(cast(Any, kafka), [TopicPartition(TOPIC, number) for number in numbers])


def take(consumer: history.HistoryConsumer, *messages: FakeMessage) -> None:
    consumer._take(cast(Any, messages))


def write(consumer: history.HistoryConsumer) -> None:
    """What the loop does until nothing is pending or under way."""
    while consumer._pending or consumer._under_way:
        consumer._write()
        consumer._land()
        consumer._rest()


def test_partitions_start_where_postgres_says(consumer: history.HistoryConsumer, kafka: FakeConsumer) -> None:
    assign(consumer, kafka, 0, 1)
    assert kafka.calls == [("incremental_assign", [(0, 0), (1, 40)])]


def test_a_batch_covers_the_markers_behind_its_last_record(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    take(consumer, FakeMessage(0, 2), FakeMessage(1, 40), FakeMessage(0, 7), FakeMessage(1, 44, eof=True))
    write(consumer)
    take(consumer, FakeMessage(1, 44))
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [
        {0: Span(start=0, stop=8), 1: Span(start=40, stop=44)},
        {1: Span(start=44, stop=45)},
    ]
    assert list(postgres.batches[0].values) == [b"0:2", b"1:40", b"0:7"]
    assert kafka.calls[1:] == [("commit", [(0, 8), (1, 44)]), ("commit", [(1, 45)])]
    assert consumer._process.beat.counts == {
        "rows": 4,
        "repeats": 0,
        "quarantined": 0,
        "withheld": 0,
        "late": 0,
        "batches": 2,
    }
    assert consumer._process.beat.watermark_ms == 5_000
    assert consumer._process.beat.watermarks_ms == {"paris": 6_000}


def test_what_is_revoked_is_dropped_and_the_rest_written(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    take(consumer, FakeMessage(0, 0), FakeMessage(1, 40))
    consumer._revoked(cast(Any, kafka), [TopicPartition(TOPIC, 0)])
    take(consumer, FakeMessage(0, 1))
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [{1: Span(start=40, stop=41)}]


def test_without_postgres_a_partition_waits_for_its_place(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    postgres.answers = [psycopg.OperationalError("down")]
    assign(consumer, kafka, 0)
    take(consumer, FakeMessage(0, 99))
    consumer._place()
    take(consumer, FakeMessage(0, 0))
    write(consumer)
    assert [call for call in kafka.calls if call[0] != "commit"] == [
        ("incremental_assign", [(0, OFFSET_END)]),
        ("incremental_unassign", [(0, -1001)]),
        ("incremental_assign", [(0, 0)]),
    ]
    assert [list(batch.values) for batch in postgres.batches] == [[b"0:0"]]


def test_an_outage_drops_nothing(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0)
    take(consumer, FakeMessage(0, 0))
    postgres.answers = [psycopg.OperationalError("down"), psycopg.InterfaceError("closed")]
    kafka.queue = [FakeMessage(0, 1)]  # was on its way when the partition was paused
    with capture_logs() as said:
        write(consumer)
    assert [line["event"] for line in said] == [*["postgres_unavailable"] * 2, "postgres_is_back"]
    assert [batch.spans for batch in postgres.batches] == [{0: Span(start=0, stop=2)}]
    assert [name for name, _ in kafka.calls[1:]] == ["pause", "pause", "commit", "resume"]
    assert postgres.drops == 2


def test_an_outage_with_nothing_left_to_try_takes_more(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    take(consumer, FakeMessage(0, 0))
    postgres.answers = [psycopg.OperationalError("down")]
    consumer._write()
    consumer._land()
    consumer._rest()
    consumer._rest()
    assert kafka.calls[-1][0] == "pause"
    consumer._revoked(cast(Any, kafka), [TopicPartition(TOPIC, 0)])
    consumer._rest()
    assert kafka.calls[-1][0] == "resume"


def test_who_is_fenced_reads_again_from_where_history_stands(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0)
    take(consumer, FakeMessage(0, 0), FakeMessage(0, 1))
    postgres.answers = [FencedError("somebody was here")]
    postgres.offsets[0] = 1
    write(consumer)
    consumer._place()
    take(consumer, FakeMessage(0, 1))
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [{0: Span(start=1, stop=2)}]


def test_records_out_of_order_are_read_again_and_not_written(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    take(consumer, FakeMessage(0, 5), FakeMessage(0, 4), FakeMessage(1, 40))
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [{1: Span(start=40, stop=41)}]
    consumer._place()
    assert kafka.calls[-1] == ("incremental_assign", [(0, 0)])


def test_a_batch_is_due_by_size_or_by_age(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("streaming.history.time.monotonic", lambda: now)
    monkeypatch.setattr(history, "BATCH_RECORDS", 3)
    assign(consumer, kafka, 0)
    assert not consumer._is_due()
    take(consumer, FakeMessage(0, 0))
    assert not consumer._is_due()
    now += history.BATCH_AGE_S
    assert consumer._is_due()
    now -= history.BATCH_AGE_S
    take(consumer, FakeMessage(0, 1), FakeMessage(0, 2))
    assert consumer._is_due()


def test_the_next_batch_is_read_while_one_is_under_way(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0)
    postgres.may_go_on.clear()
    take(consumer, FakeMessage(0, 0))
    consumer._write()
    take(consumer, FakeMessage(0, 1), FakeMessage(0, 2, eof=True))
    assert postgres.batches == []
    consumer._tell_at = 0
    consumer._tell()
    assert consumer._process.beat.lag_records == 100, "what is under way is not written"
    postgres.may_go_on.set()
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [{0: Span(start=0, stop=1)}, {0: Span(start=1, stop=2)}]


def test_a_batch_that_fails_comes_again_before_the_one_behind_it(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    postgres.may_go_on.clear()
    postgres.answers = [psycopg.OperationalError("down")]
    take(consumer, FakeMessage(0, 0), FakeMessage(1, 40))
    consumer._write()
    take(consumer, FakeMessage(0, 1))
    postgres.may_go_on.set()
    consumer._revoked(cast(Any, kafka), [TopicPartition(TOPIC, 1)])
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [{0: Span(start=0, stop=2)}]


def test_a_batch_is_no_larger_for_an_outage(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BATCH_RECORDS", 2)
    assign(consumer, kafka, 0, 1)
    postgres.may_go_on.clear()
    postgres.answers = [psycopg.OperationalError("down")]
    take(consumer, FakeMessage(0, 0), FakeMessage(1, 40))
    consumer._write()
    take(consumer, FakeMessage(0, 1), FakeMessage(0, 2), FakeMessage(0, 3, eof=True))
    postgres.may_go_on.set()
    write(consumer)
    assert [batch.spans for batch in postgres.batches] == [
        {0: Span(start=0, stop=1), 1: Span(start=40, stop=41)},
        {0: Span(start=1, stop=3)},
    ]


def test_what_is_revoked_while_it_is_under_way_is_written(
    consumer: history.HistoryConsumer, kafka: FakeConsumer, postgres: FakePostgres
) -> None:
    assign(consumer, kafka, 0, 1)
    take(consumer, FakeMessage(0, 0), FakeMessage(1, 40))
    consumer._write()
    consumer._revoked(cast(Any, kafka), [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)])
    assert [batch.spans for batch in postgres.batches] == [{0: Span(start=0, stop=1), 1: Span(start=40, stop=41)}]
    assert consumer._next == {}
