"""The source `beast`: a receiver's Beast port (TCP 30005), or a capture of one. Its format is in `beast_format.py`, and
what the frames say in `mode_s_format.py`.

bytes ──► Splitter ──► no repeat? ──► clock ──► Decoder ──► Batch
"""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import structlog

from flight_platform.codec import parse_time
from flight_platform.errors import SettingsError
from flight_platform.names import Reason
from flight_platform.telemetry import INGEST_FRAMES
from streaming.sources import beast_format, clock, cpr, kinds
from streaming.sources.base import Batch, Refused, Source
from streaming.sources.mode_s_format import Decoder, Heard
from streaming.sources.tcp import SILENCE_S, Port, host_and_port

log = structlog.get_logger()

PORT: Final = 30005
_CHUNK: Final = 65_536
_SHOWN: Final = 256  # bytes of what is no frame that a dead letter keeps
_CLOCKS: Final = ("12mhz", "gps")
_EXAMPLE: Final = "flight feed beast --file capture.beast --start 2018-04-03T19:02:28.136Z"


class Stream:
    """The bytes of one receiver on their way to reports."""

    def __init__(self, name: str, frame_clock: beast_format.FrameClock, reference: cpr.Place | None = None) -> None:
        self._name, self._clock = name, frame_clock
        self._splitter = beast_format.Splitter()
        self._repeats = beast_format.RepeatFilter()
        self.decoder = Decoder(name, reference)
        self._told: dict[str, int] = {}
        self._newest_ms: int | None = None

    def joined(self) -> None:
        """A new connection: what was half a frame will not be whole."""
        self._splitter = beast_format.Splitter()

    def take(self, piece: bytes, received_at: int) -> Batch:
        """The reports of the frames that a piece completes."""
        return self._batch(self._splitter.feed(piece), received_at)

    def finish(self, received_at: int) -> Batch:
        """What is left at the end of a capture."""
        return self._batch(self._splitter.finish(), received_at)

    def _batch(self, parts: list[beast_format.Frame | bytes], received_at: int) -> Batch:
        batch, heard = Batch(), list[Heard]()
        for part in parts:
            if isinstance(part, bytes):
                batch.refused.append(_no_frame(part))
            elif self._repeats.is_repeat(part):
                self.decoder.counts["repeat"] += 1
            else:
                time_ms = self._clock.read(part, received_at)
                heard.append(Heard(part.message, time_ms, part.counter == beast_format.MLAT))
        for position, message in self.decoder.take(heard, received_at):
            batch.positions.append(position)
            batch.originals.append(message)
        if heard:
            newest_ms = max(one.time_ms for one in heard)
            self._newest_ms = newest_ms if self._newest_ms is None else max(self._newest_ms, newest_ms)
        self._count()
        return Batch(
            positions=batch.positions, originals=batch.originals, refused=batch.refused, clock_ms=self._newest_ms
        )

    def _count(self) -> None:
        for outcome, count in self.decoder.counts.items():
            INGEST_FRAMES.labels(self._name, outcome).inc(count - self._told.get(outcome, 0))
        self._told = dict(self.decoder.counts)


def _no_frame(part: bytes) -> Refused:
    hint = ""
    if part.startswith((b"MSG,", b"STA,", b"AIR,")) or b"\nMSG," in part:
        hint = ": this is SBS, which port 30003 sends; feed it with the source sbs"
    elif part.startswith(b"*") or b";\n*" in part:
        hint = ": this is AVR text, which port 30002 sends; the Beast port is 30005"
    return Refused(
        original=part[:_SHOWN], reason=Reason.UNDECODABLE, detail=f"{len(part)} bytes are no Beast frame{hint}"
    )


class Beast:
    """A receiver's port 30005, connected again whenever it drops."""

    repeatable = False
    record_format = "beast"

    def __init__(
        self,
        name: str,
        host: str,
        port: int = PORT,
        *,
        frame_clock: beast_format.FrameClock | None = None,
        reference: cpr.Place | None = None,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.name = name
        self._port = Port(name, host, port, silence_s=silence_s)
        self._stream = Stream(name, frame_clock or beast_format.ArrivalClock(), reference)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """What comes, a batch per piece of the stream, until `stop` is set."""
        for piece in self._port.pieces(stop):
            if piece is None:
                self._stream.joined()
            else:
                yield self._stream.take(piece, clock.now_ms())


class BeastFile:
    """A capture of port 30005, packed or not, in its order."""

    repeatable = True
    record_format = "beast"

    def __init__(
        self,
        name: str,
        file: Path,
        *,
        start_ms: int,
        gps: bool = False,
        reference: cpr.Place | None = None,
    ) -> None:
        self.name = name
        self._file, self._start_ms, self._gps, self._reference = file, start_ms, gps, reference

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports of the capture."""
        frame_clock = beast_format.GpsClock if self._gps else beast_format.CounterClock
        stream = Stream(self.name, frame_clock(self._start_ms), self._reference)
        with self._file.open("rb") as head:
            packed = head.read(2) == b"\x1f\x8b"
        opened: Any = gzip.open if packed else open
        with opened(self._file, "rb") as capture:
            while piece := capture.read(_CHUNK):
                if stop.is_set():
                    return
                yield stream.take(piece, clock.now_ms())
        yield stream.finish(clock.now_ms())
        log.info("capture_read", source=self.name, **stream.decoder.counts)


def reference_place(value: Any) -> cpr.Place | None:
    """The place in `latitude,longitude`."""
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else list(value)
    try:
        latitude, longitude = (float(part) for part in parts)
    except (TypeError, ValueError):
        latitude = longitude = 999.0
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise SettingsError(
            f"--reference is {value!r}: latitude,longitude of the receiver are expected. Example: --reference 59.8,30.3"
        )
    return latitude, longitude


def _start_ms(value: Any, file: Path) -> int:
    if value is None:
        raise SettingsError(
            f"--start is missing: the frames of {file} have no date, so the time of the first one is needed. "
            f"Example: {_EXAMPLE}"
        )
    try:
        return parse_time(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingsError(f"--start is {value!r}: {error}. Example: {_EXAMPLE}") from error


def _open(request: kinds.Request) -> Source:
    gps = kinds.choice(request.option("clock"), "clock", _CLOCKS) == "gps"
    reference, start = reference_place(request.option("reference")), request.option("start")
    if request.file is not None:
        file = kinds.readable(request.file)
        return BeastFile(request.name, file, start_ms=_start_ms(start, file), gps=gps, reference=reference)
    if start is not None:
        raise SettingsError(f"--start goes with --file: a port is heard now. Example: {_EXAMPLE}")
    host, port = host_and_port(request.url or "", PORT)
    return Beast(request.name, host, port, frame_clock=beast_format.GpsClock() if gps else None, reference=reference)


KIND: Final = kinds.SourceKind(
    open=_open,
    summary="Beast frames of a receiver (port 30005 of readsb and dump1090), live or from a file",
    brings="both altitudes, on ground, speed, track, vertical rate, callsign, squawk, emergency, kind",
    rate="as it comes: up to two positions a second and aircraft",
    licence="your own receiver: yours",
    example="flight feed beast --url tcp://127.0.0.1:30005 --reference 59.8,30.3",
    options=frozenset({"start", "reference", "clock"}),
    url_example=f"tcp://127.0.0.1:{PORT}",
    file_example="capture.beast --start 2018-04-03T19:02:28.136Z",
)
