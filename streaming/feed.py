"""The feed: from one source to `flight.reports`. It knows the source and nothing of flights: any number may run.

source ──► Batch ──► possible? timely? ──► block list ──► flight.reports   (key: address)
             │              │
             └── refused ───┴─────────────────────────► flight.dead-letters

What is possible and timely is `sifting.py`'s; how both get into Kafka, and what happens while Kafka is away, is
`outlet.py`'s.
"""

import json
import signal
import sys
import threading
import time
from functools import partial
from typing import Any, TextIO

import structlog

from flight_platform import kafka
from flight_platform.codec import encode_all, to_record
from flight_platform.layout import LayoutWatch
from flight_platform.model import Position, address_of, format_flight_id
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Reason, Stage
from flight_platform.settings import Settings
from flight_platform.telemetry import (
    INGEST_EVENT_TIMESTAMP,
    INGEST_LAST_SUCCESS,
    INGEST_RECORDS,
    configure_logging,
)
from flight_platform.watch.heartbeats import Heartbeat
from streaming.blocklist import BlockList, Gate
from streaming.dead_letters import Refusals, letter
from streaming.outlet import PRODUCER_BOUNDS, Outlet, Record, StoppedError
from streaming.process import Process, running
from streaming.sifting import Limits, sift
from streaming.sources.base import Batch, Refused, Source, facts_of, polled, record_format
from streaming.spool import open_spool
from streaming.tracking import Aircraft, Outcome, Report, Verdict

log = structlog.get_logger()

_LONGEST_PAUSE_S = 30.0  # between polls, as the disk that holds their answers while Kafka is away fills up


class _Sender:
    """Reports and refusals as Kafka's records, counted."""

    def __init__(self, settings: Settings, source: Source, beat: Heartbeat, outlet: Outlet) -> None:
        self._reports = settings.topic(TOPIC_REPORTS)
        self._dead_letters = settings.topic(TOPIC_DEAD_LETTERS)
        self._source, self._beat, self._outlet = source, beat, outlet

    def send(self, positions: list[Position], refused: list[Refused], clock_ms: int | None, now_ms: int) -> None:
        """Hands reports and dead letters on. The heartbeat's watermark moves when Kafka has acknowledged them."""
        values = encode_all(positions)
        records = [Record(self._reports, p.icao24, value) for p, value in zip(positions, values, strict=True)]
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
            records.append(Record(self._dead_letters, None, value, headers))
            self._beat.counts[item.reason] += 1
        self._outlet.put(records, max((p.time for p in positions), default=0))
        self._beat.counts["accepted"] += len(positions)
        INGEST_RECORDS.labels(self._source.name, "accepted").inc(len(positions))
        late = sum(item.reason is Reason.TOO_LATE for item in refused)
        INGEST_RECORDS.labels(self._source.name, "late").inc(late)
        INGEST_RECORDS.labels(self._source.name, "rejected").inc(len(refused) - late)


def run(settings: Settings, source: Source, *, backfill: bool = False) -> None:
    """Runs a feed until its source ends or the process is told to stop. Raises SettingsError for a bad block list."""
    limits = Limits.of(settings, backfill=backfill)
    gate = Gate(settings)
    with running(settings, Stage.FEED, source=source.name) as process, LayoutWatch(settings) as watch, gate:
        process.beat.about_source = partial(facts_of, source)
        held_back = _HeldBack(settings, process.stop)
        outlet = _open_outlet(settings, source, process, watch)
        if outlet is None:
            return
        sender, refusals = _Sender(settings, source, process.beat, outlet), Refusals()
        try:
            for batch in source.batches(process.stop):
                if held_back.loses(source):
                    continue
                now_ms = kafka.now_ms()
                positions, refused = sift(batch, now_ms, limits)
                sender.send(list(gate.apply(positions, now_ms)), refused, batch.clock_ms, now_ms)
                _tell(process.beat, source, batch, now_ms)
                refusals.tell(process.beat.counts)
                if polled(source):
                    process.stop.wait(outlet.fill * _LONGEST_PAUSE_S)
        except StoppedError:
            pass
        finally:
            outlet.close()


def _open_outlet(settings: Settings, source: Source, process: Process, watch: LayoutWatch) -> Outlet | None:
    """The way into Kafka. A source that can repeat waits for Kafka first, any other is taken from at once; None where
    the process was stopped meanwhile."""
    new_producer = partial(kafka.producer, settings, **PRODUCER_BOUNDS)
    if not source.repeatable:
        spool = open_spool(settings.var / "spool", source.name, settings.spool_bytes)
        ready = partial(kafka.wait_for_kafka, settings)
        return Outlet(new_producer, spool, process.beat, process.stop, ready, watch.open_to)
    if not kafka.wait_for_kafka(settings, process.stop.wait):
        return None
    return Outlet(new_producer, None, process.beat, process.stop, open_to=watch.open_to)


def _tell(beat: Heartbeat, source: Source, batch: Batch, now_ms: int) -> None:
    newest = max((p.time for p in batch.positions), default=None)
    told = [t for t in (newest, batch.clock_ms) if t is not None]
    if told:
        beat.hear(max(told))
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

    def loses(self, source: Source) -> bool:
        """Waits out the stall, if there is one, with a source that can wait; whether what another one said is lost, as
        it is in a real stall."""
        while time.monotonic() < self._until and not self._stop.is_set():
            if not facts_of(source).repeatable:
                return True
            self._stop.wait(0.2)
        return False


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
