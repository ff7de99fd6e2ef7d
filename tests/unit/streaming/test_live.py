"""The live consumer's own rules, with Kafka and the live servers played by fakes; the real ones are in integration."""

import threading
from collections.abc import Collection
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from flight_platform.codec import Columns, encode
from flight_platform.errors import ServerUnavailableError
from flight_platform.kafka import partition_of
from flight_platform.layout import Layout
from flight_platform.model import Position
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.heartbeats import Heartbeat
from streaming.live import LiveConsumer
from tests.integration.live.samples import sample

NOW_MS = 1_700_000_000_000
WINDOW_MS = 60_000


class FakeMessage:
    def __init__(self, partition: int, offset: int, value: bytes | None, error: KafkaError | None = None) -> None:
        self._partition, self._offset, self._value, self._error = partition, offset, value, error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> KafkaError | None:
        return self._error


class FakeWatch:
    """What Kafka says of its topics."""

    def __init__(self) -> None:
        self.partitions = 2

    @property
    def layout(self) -> Layout:
        return Layout(reports=self.partitions, positions=self.partitions, tracker=self.partitions)

    def look(self) -> Layout:
        return self.layout


class FakeConsumer:
    """Two partitions whose logs span from offset 10 to `ends`."""

    def __init__(self) -> None:
        self.ends = {0: 10, 1: 10}
        self.asked_since: list[int] = []
        self.assigned: list[TopicPartition] = []
        self.committed: dict[int, int] = {}

    def get_watermark_offsets(self, partition: TopicPartition, **_: Any) -> tuple[int, int]:
        return 0, self.ends[partition.partition]

    def offsets_for_times(self, wanted: list[TopicPartition], **_: Any) -> list[TopicPartition]:
        self.asked_since += [w.offset for w in wanted]
        return [TopicPartition(w.topic, w.partition, 10 if self.ends[w.partition] > 10 else -1) for w in wanted]

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned += partitions

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        self.committed |= {place.partition: place.offset for place in offsets}


class FakeWriter:
    """A live server that can be emptied or away."""

    def __init__(self) -> None:
        self.up, self.filled = True, True
        self.held: dict[int, int] = {}
        self.watermarks: dict[int, int] = {}
        self.partitions = 0
        self.settled = 0

    def write(self, rows: Columns, _now_ms: int, guarded: Any = None) -> int:
        if not (self.up and self.filled):
            return 0
        news: dict[int, int] = dict(zip(rows["flight_id"].tolist(), rows["time"].tolist(), strict=True))
        if guarded is None:
            self.held |= news
        else:
            for (flight_id, time), is_guarded in zip(news.items(), guarded.tolist(), strict=True):
                self.held[flight_id] = self.held.get(flight_id, time) if is_guarded else time
        return len(rows)

    def unfilled(self) -> bool:
        return self.up and not self.filled

    def fill(self, rows: Columns, now_ms: int, guarded: Any = None) -> int:
        self.filled = True
        return self.write(rows, now_ms, guarded)

    def find_emptied(self, _partitions: Collection[int]) -> None:
        if self.watermarks and not self.held:
            self.filled = False

    def write_watermarks(self, watermarks: dict[int, int], partitions: int) -> bool:
        if self.up and self.filled:
            self.watermarks, self.partitions = watermarks, partitions
        return self.up and self.filled

    def settle(self) -> None:
        self.settled += 1

    def away(self) -> list[str]:
        return [] if self.up and self.filled else ["h:1"]

    def count_objects(self, rows: Columns) -> None: ...


class Live:
    """A live consumer among fakes, with a clock that stands still unless moved."""

    def __init__(self) -> None:
        settings = Settings.read(live_window_s=WINDOW_MS / 1000)
        self.beat = Heartbeat(settings, Stage.LIVE)
        self.kafka, self.writer, self.watch, self.now_ms = FakeConsumer(), FakeWriter(), FakeWatch(), NOW_MS
        consumer: Any = self.kafka
        writer: Any = self.writer
        watch: Any = self.watch
        stop = threading.Event()
        self.consumer = LiveConsumer(settings, self.beat, stop, consumer, writer, watch, clock=lambda: self.now_ms)
        self.offset = 9

    def assign(self, *partitions: int) -> None:
        wanted = [TopicPartition("flight.positions", partition) for partition in partitions]
        self.consumer._assigned(self.kafka, wanted)  # type: ignore[arg-type]

    def revoke(self, *partitions: int) -> None:
        wanted = [TopicPartition("flight.positions", partition) for partition in partitions]
        self.consumer._revoked(self.kafka, wanted)  # type: ignore[arg-type]

    def take(self, *positions: Position | bytes | None, partition: int = 0) -> None:
        messages: list[Any] = []
        for position in positions:
            self.offset += 1
            value = encode(position) if isinstance(position, Position) else position
            messages.append(FakeMessage(partition, self.offset, value))
        self.consumer.take(messages)

    @property
    def held(self) -> dict[int, int]:
        """What the live server holds: age in milliseconds by aircraft number."""
        return {(flight >> 32) - 0x3C0000: NOW_MS - time for flight, time in self.writer.held.items()}


@pytest.fixture
def live() -> Live:
    return Live()


def test_the_newest_report_of_each_flight_is_written_and_nothing_older_after_it(live: Live) -> None:
    live.assign(0, 1)
    live.take(sample(1, NOW_MS - 900), sample(1, NOW_MS - 500), sample(2, NOW_MS - 800), sample(1, NOW_MS - 700))
    assert live.held == {1: 500, 2: 800}
    live.take(sample(1, NOW_MS - 600), sample(2, NOW_MS - 100))
    assert live.held == {1: 500, 2: 100}
    assert live.beat.counts == {"rewinds": 2, "written": 3, "superseded": 3}


def test_reports_older_than_the_window_are_skipped_and_counted(live: Live) -> None:
    live.assign(0)
    live.take(sample(1, NOW_MS - WINDOW_MS), sample(2, NOW_MS - WINDOW_MS + 1))
    assert live.held == {2: WINDOW_MS - 1}
    assert live.beat.counts["stale"] == 1


def test_what_cannot_be_decoded_is_skipped_and_counted(live: Live) -> None:
    live.assign(0)
    live.take(b"\xff\xff", sample(1, NOW_MS), None, b"", sample(2, NOW_MS))
    assert live.held == {1: 0, 2: 0}
    assert live.beat.counts["undecodable"] == 3


def test_a_partition_starts_at_the_window_and_is_written_once_it_is_folded(live: Live) -> None:
    live.kafka.ends[0] = 13
    live.assign(0)
    assert live.kafka.assigned[0].offset == 10
    assert live.kafka.asked_since == [pytest.approx(NOW_MS - WINDOW_MS, abs=10_000)]
    live.take(sample(1, NOW_MS - 900), sample(1, NOW_MS - 800))
    live.consumer.beat()
    assert (live.held, live.writer.watermarks) == ({}, {})
    live.take(sample(1, NOW_MS - 700))
    live.consumer.beat()
    assert (live.held, live.writer.watermarks) == ({1: 700}, {0: NOW_MS - 700})


def test_a_partition_that_is_being_folded_does_not_hold_back_another(live: Live) -> None:
    live.kafka.ends[0] = 1000
    live.assign(0, 1)
    live.take(sample(1, NOW_MS - 10), partition=0)
    live.take(sample(2, NOW_MS - 20), partition=1)
    assert live.held == {2: 20}


def test_the_end_of_a_log_that_ends_in_a_transactions_marker_is_seen(live: Live) -> None:
    live.kafka.ends[0] = 12  # a record at 10, a marker at 11
    live.assign(0)
    live.take(sample(1, NOW_MS - 10))
    assert live.held == {}
    end: Any = FakeMessage(0, 12, None, KafkaError(KafkaError._PARTITION_EOF))
    live.consumer.take([end])
    assert live.held == {1: 10}
    live.consumer.beat()
    assert live.beat.lag_records == 0


def test_lag_counts_what_waits_in_kafka(live: Live) -> None:
    live.assign(0, 1)
    live.kafka.ends = {0: 15, 1: 30}
    live.take(sample(1, NOW_MS))
    live.consumer.beat()
    assert live.beat.lag_records == 4 + 20


def test_a_server_that_lost_its_data_gets_it_back_within_a_beat(live: Live) -> None:
    live.assign(0, 1)
    live.take(sample(1, NOW_MS - 10), sample(2, NOW_MS - 59_000))
    live.consumer.beat()
    live.writer.held.clear()
    live.now_ms += 2_000
    live.consumer.beat()
    assert live.held == {1: 10}, "flight 2 has left the window meanwhile"


def test_while_all_servers_are_away_the_fold_goes_on_and_the_watermark_stands(live: Live) -> None:
    live.assign(0)
    live.take(sample(1, NOW_MS - 500))
    live.consumer.beat()
    live.writer.up = live.writer.filled = False
    live.take(sample(1, NOW_MS - 100), sample(2, NOW_MS - 200))
    live.consumer.beat()
    assert live.beat.watermark_ms == NOW_MS - 500
    assert live.beat.watermarks_ms == {"test": NOW_MS - 500}
    assert "h:1" in live.beat.note
    live.writer.up = True
    live.consumer.beat()
    assert live.held == {1: 100, 2: 200}
    assert live.beat.watermark_ms == NOW_MS - 100
    assert live.beat.watermarks_ms == {"test": NOW_MS - 100}
    assert live.beat.note == ""


def test_a_partition_given_up_is_flushed_and_never_written_again(live: Live) -> None:
    live.assign(0, 1)
    live.take(sample(1, NOW_MS - 10), partition=0)
    live.take(sample(2, NOW_MS - 10), partition=1)
    live.revoke(0)
    assert live.writer.settled == 1
    live.writer.held.clear()
    live.writer.filled = False
    live.consumer.beat()
    assert live.held == {2: 10}
    assert live.writer.watermarks == {1: NOW_MS - 10}
    assert live.writer.partitions == 2, "readers expect all partitions of the topic, not ours"


def test_an_error_that_passes_is_no_reason_to_stop_and_a_fatal_one_is(live: Live) -> None:
    live.assign(0)
    passing: Any = FakeMessage(0, 10, None, KafkaError(KafkaError._TRANSPORT))
    live.consumer.take([passing])
    fatal: Any = FakeMessage(0, 10, None, KafkaError(KafkaError._FATAL, "fenced", fatal=True))
    with pytest.raises(ServerUnavailableError, match="fenced"):
        live.consumer.take([fatal])


def test_a_flight_that_moved_away_is_written_only_where_it_is_missing(live: Live) -> None:
    """The topic grows from two partitions to eight; flight 1 moves from partition 0 to one of another consumer."""
    live.assign(0, 1)
    flight_ids = [sample(number, NOW_MS).flight_id or 0 for number in (1, 2)]
    live.take(sample(1, NOW_MS - 900), partition=0)
    live.watch.partitions = 8
    homes = [partition_of(sample(number, NOW_MS).icao24, 8) for number in (1, 2)]
    assert not {0, 1} & set(homes), "both flights are at home elsewhere now"

    live.writer.held[flight_ids[0]] = NOW_MS - 100  # by its new consumer
    live.take(sample(1, NOW_MS - 800), sample(2, NOW_MS - 700), partition=0)  # what was still unread
    assert live.held == {1: 100, 2: 700}, "nothing older over it, and what nobody has is shown"

    live.writer.held.clear()
    live.writer.filled = False
    live.writer.held[flight_ids[0]] = NOW_MS - 50
    live.consumer.beat()
    assert live.held == {1: 50, 2: 700}, "nor does a server that is filled again get it"


def test_kafka_is_told_how_far_it_is(live: Live) -> None:
    live.kafka.ends[1] = 30
    live.assign(0, 1)
    live.take(sample(1, NOW_MS), sample(2, NOW_MS))
    live.consumer.beat()
    assert live.kafka.committed == {0: 12}, "and nothing of a partition that is being folded"
