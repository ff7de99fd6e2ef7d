"""The feed: from one source to `flight.reports`. It knows the source and nothing of flights: any number may run.

source ──► Batch ──► possible? timely? ──► block list ──► flight.reports   (key: address)
             │              │
             └── refused ───┴─────────────────────────► flight.dead-letters
"""

import json
import signal
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

import structlog
from confluent_kafka import Producer

from flight_platform import kafka
from flight_platform.codec import encode, iso_time, to_record
from flight_platform.heartbeats import Heartbeat
from flight_platform.model import Position, address_of, format_flight_id, out_of_range
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Reason, Stage
from flight_platform.settings import Settings
from flight_platform.telemetry import (
    INGEST_EVENT_TIMESTAMP,
    INGEST_LAST_SUCCESS,
    INGEST_RECORDS,
    configure_logging,
)
from streaming.blocklist import BlockList
from streaming.dead_letters import letter, original_bytes
from streaming.process import running
from streaming.sources.base import Batch, Refused, Source, record_format
from streaming.tracking import Aircraft, Outcome, Report, Verdict

log = structlog.get_logger()

_QUEUE_RECORDS = 200_000  # what waits in memory while Kafka is down; then the source waits
_FLUSH_S = 15


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a report's time may be from the clock, seconds. A backfill has no lateness limit."""

    lateness_s: float | None
    future_s: float

    @classmethod
    def of(cls, settings: Settings, *, backfill: bool) -> "Limits":
        """The limits that the settings state."""
        return cls(None if backfill else settings.lateness_limit_s, settings.future_tolerance_s)


def refusal(position: Position, now_ms: int, limits: Limits) -> tuple[Reason, str] | None:
    """Why a report cannot be taken, with what exactly is wrong; None where it can."""
    problem = out_of_range(position)
    if problem is not None:
        return Reason.OUT_OF_RANGE, problem
    age_s = (now_ms - position.time) / 1000
    if age_s < -limits.future_s:
        return (
            Reason.IN_FUTURE,
            f"time {iso_time(position.time)} is {-age_s:.1f} s ahead; tolerated are {limits.future_s:g} s",
        )
    if limits.lateness_s is not None and age_s > limits.lateness_s:
        return (
            Reason.TOO_LATE,
            f"time {iso_time(position.time)} is {age_s:.0f} s old; the limit is {limits.lateness_s:g} s",
        )
    return None


def sift(batch: Batch, now_ms: int, limits: Limits) -> tuple[list[Position], list[Refused]]:
    """What of a batch can be taken, and what cannot with its original bytes and reason."""
    taken: list[Position] = []
    refused = list(batch.refused)
    for position, original in zip(batch.positions, batch.originals, strict=True):
        problem = refusal(position, now_ms, limits)
        if problem is None:
            taken.append(position)
        else:
            refused.append(Refused(original=original_bytes(original), reason=problem[0], detail=problem[1]))
    return taken, refused


class _Outlet:
    """The feed's way into Kafka: waits where Kafka's queue is full, drops nothing."""

    def __init__(self, settings: Settings, source: Source, beat: Heartbeat, stop: threading.Event) -> None:
        self._producer: Producer = kafka.producer(
            settings,
            **{
                "message.timeout.ms": 0,  # no report is given up because Kafka is away
                "queue.buffering.max.messages": _QUEUE_RECORDS,
                "queue.buffering.max.kbytes": 262_144,
            },
        )
        self._reports = settings.topic(TOPIC_REPORTS)
        self._dead_letters = settings.topic(TOPIC_DEAD_LETTERS)
        self._source, self._beat, self._stop = source, beat, stop
        self._waiting = False

    def send(self, positions: list[Position], refused: list[Refused], clock_ms: int | None, now_ms: int) -> None:
        """Hands reports and dead letters to Kafka. The heartbeat's watermark moves when Kafka has acknowledged."""
        last = len(positions) - 1
        for i, position in enumerate(positions):
            extra: dict[str, Any] = {}
            if i == last:
                newest = max(p.time for p in positions)
                extra["on_delivery"] = partial(self._delivered, newest)
            self._produce(self._reports, encode(position), position.icao24, extra)
        for item in refused:
            value, headers = letter(
                item.original,
                reason=item.reason,
                detail=item.detail,
                exception=item.exception,
                stage=Stage.FEED,
                source=self._source.name,
                record_format=record_format(self._source),
                clock_ms=clock_ms,
                now_ms=now_ms,
            )
            self._produce(self._dead_letters, value, None, {"headers": headers})
            self._beat.counts[item.reason] += 1
        self._producer.poll(0)
        self._beat.counts["accepted"] += len(positions)
        INGEST_RECORDS.labels(self._source.name, "accepted").inc(len(positions))
        INGEST_RECORDS.labels(self._source.name, "rejected").inc(len(refused))

    def _produce(self, topic: str, value: bytes, key: str | None, extra: dict[str, Any]) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **extra)
            except BufferError:
                if not self._waiting:
                    log.warning(
                        "waiting_for_kafka",
                        queued=len(self._producer),
                        hint="the source is held back until Kafka answers",
                    )
                    self._beat.note = "waiting for Kafka"
                self._waiting = True
                self._producer.poll(0.2)
                if self._stop.is_set():
                    raise _StoppedError from None
            else:
                return

    def _delivered(self, newest_ms: int, error: object, _message: object) -> None:
        if error is not None:
            log.error("report_not_acknowledged", problem=str(error))
            return
        if self._waiting:
            log.info("kafka_is_back", queued=len(self._producer))
            self._waiting = False
        self._beat.note = "running"
        self._beat.watermark_ms = max(self._beat.watermark_ms or 0, newest_ms)

    def poll(self) -> None:
        """Serves acknowledgements."""
        self._producer.poll(0)

    def close(self) -> None:
        """Waits for Kafka to acknowledge what is on its way."""
        left = self._producer.flush(_FLUSH_S)
        if left:
            log.error(
                "not_acknowledged_at_stop",
                reports=left,
                hint="Kafka did not answer in time; a file can be replayed",
            )


class _StoppedError(Exception):
    """The feed was told to stop while it waited for Kafka."""


def run(settings: Settings, source: Source, *, backfill: bool = False) -> None:
    """Runs a feed until its source ends or the process is told to stop. Raises SettingsError for a bad block list."""
    limits = Limits.of(settings, backfill=backfill)
    blocked = BlockList.read(settings.block_list)
    with running(settings, Stage.FEED, source=source.name) as process:
        if not kafka.wait_for_kafka(settings, process.stop.wait):
            return
        held_back = _HeldBack(settings, process.stop)
        outlet = _Outlet(settings, source, process.beat, process.stop)
        process.beat.note = "running"
        try:
            for batch in source.batches(process.stop):
                now_ms = kafka.now_ms()
                positions, refused = sift(batch, now_ms, limits)
                outlet.send(list(blocked.apply(positions, now_ms)), refused, batch.clock_ms, now_ms)
                _tell(process.beat, source, batch, now_ms)
                held_back.wait(outlet)
        except _StoppedError:
            pass
        outlet.close()


def _tell(beat: Heartbeat, source: Source, batch: Batch, now_ms: int) -> None:
    newest = max((p.time for p in batch.positions), default=None)
    times = [t for t in (newest, batch.clock_ms, beat.source_clock_ms) if t is not None]
    beat.source_clock_ms = max(times, default=None)
    INGEST_LAST_SUCCESS.labels(source.name).set(now_ms / 1000)
    if newest is not None:
        INGEST_EVENT_TIMESTAMP.labels(source.name).set(newest / 1000)


class _HeldBack:
    """`flight stall`: on SIGUSR1 the feed holds its source back for the seconds that stand in `var/run/stall`."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._file = settings.var / "run" / "stall"
        self._stop = stop
        self._until = 0.0
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self._read)

    def _read(self, _number: int, _frame: object) -> None:
        try:
            seconds = float(self._file.read_text())
        except (OSError, ValueError) as error:
            log.warning("stall_ignored", problem=str(error))
            return
        self._until = time.monotonic() + seconds
        log.warning("source_held_back", seconds=seconds)

    def wait(self, outlet: _Outlet) -> None:
        """Waits out the stall, if there is one."""
        while time.monotonic() < self._until and not self._stop.wait(0.2):
            outlet.poll()


def dry_run(
    settings: Settings,
    source: Source,
    *,
    backfill: bool = False,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
) -> None:
    """Decodes and tracks in this process, without any server: positions as NDJSON on `out`, refusals on `err`.

    A recording that can be repeated counts as a backfill: it may be of any age.
    """
    configure_logging(settings.log_format)  # to standard error: standard output is for the positions
    limits = Limits.of(settings, backfill=backfill or source.repeatable)
    blocked = BlockList.read(settings.block_list)
    stop = threading.Event()
    aircraft: dict[str, Aircraft] = {}
    previous = {n: signal.signal(n, lambda *_: stop.set()) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        for batch in source.batches(stop):
            now_ms = kafka.now_ms()
            positions, refused = sift(batch, now_ms, limits)
            for item in refused:
                _print(
                    err,
                    {
                        "reason": item.reason,
                        "detail": item.detail,
                        "source": source.name,
                        "original": item.original.decode("utf-8", "replace"),
                    },
                )
            for position in blocked.apply(positions, now_ms):
                known = aircraft.get(position.icao24)
                if known is None:
                    known = aircraft[position.icao24] = Aircraft(address_of(position.icao24))
                _print_verdicts(known.judge(report_of(position)), out, err)
        for known in aircraft.values():
            _print_verdicts(known.refuse_held("the recording ended"), out, err)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def report_of(position: Position) -> Report:
    """What tracking needs of a position; its payload is the position."""
    return Report(
        position.time,
        position.latitude,
        position.longitude,
        position.altitude_ft,
        position.ground_speed_kt,
        position.on_ground,
        position.callsign,
        position,
    )


def _print_verdicts(verdicts: list[Verdict], out: TextIO, err: TextIO) -> None:
    for verdict in verdicts:
        record = to_record(verdict.report.payload)
        if verdict.outcome is Outcome.PASSED:
            _print(out, record | {"flight_id": format_flight_id(verdict.flight_id)})
        elif verdict.outcome is Outcome.REFUSED:
            _print(
                err,
                {
                    "reason": Reason.IMPLAUSIBLE,
                    "detail": verdict.detail,
                    "source": record["source"],
                    "original": record,
                },
            )
        else:
            _print(
                err,
                {
                    "reason": "repeat",
                    "detail": "same time and place as before",
                    "source": record["source"],
                    "original": record,
                },
            )


def _print(stream: TextIO, record: dict[str, Any]) -> None:
    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
