"""The source `sbs`: a receiver's BaseStation port (TCP 30003), or a capture of one. Its format is in `sbs_format.py`.

bytes ──► lines ──► Merger ──► Batch
"""

import gzip
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from streaming.sources import clock, kinds
from streaming.sources.base import Batch, Refused, Source
from streaming.sources.sbs_format import Merger, zone_hint
from streaming.sources.tcp import SILENCE_S, Port, host_and_port

log = structlog.get_logger()

PORT: Final = 30003
_LONGEST_LINE: Final = 4_096  # what is longer is no line: some other port
_BATCH_LINES: Final = 2_000


class Sbs:
    """A receiver's port 30003, connected again whenever it drops."""

    repeatable = False
    record_format = "sbs"

    def __init__(
        self, name: str, host: str, port: int = PORT, *, zone: ZoneInfo | None = None, silence_s: float = SILENCE_S
    ) -> None:
        self.name = name
        self._port = Port(name, host, port, silence_s=silence_s)
        self._merger = Merger(name, zone)
        self._hinted = False

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """What comes, a batch per piece of the stream, until `stop` is set."""
        rest = b""
        for piece in self._port.pieces(stop):
            if piece is None:  # a new connection: what was half a line will not be whole
                rest = b""
                continue
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            now_ms = clock.now_ms()
            yield merge(self._merger, (line.decode("utf-8", "surrogateescape") for line in lines), now_ms)
            self._check_zone(now_ms)

    def _check_zone(self, now_ms: int) -> None:
        if self._hinted or self._merger.clock.last_ms is None:
            return
        self._hinted = True
        hint = zone_hint(self._merger.clock.last_ms, now_ms)
        if hint is not None:
            log.warning("time_zone_doubtful", source=self.name, hint=hint)


class SbsFile:
    """A capture of port 30003, packed or not, in its order."""

    repeatable = True
    record_format = "sbs"

    def __init__(self, name: str, file: Path, zone: ZoneInfo | None = None) -> None:
        self.name = name
        self._file, self._zone = file, zone

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports of the capture."""
        for batch in read_capture(self._file, self.name, self._zone):
            if stop.is_set():
                return
            yield batch


def read_capture(file: Path, name: str, zone: ZoneInfo | None) -> Iterator[Batch]:
    """The reports of a capture, a few thousand lines a batch."""
    with file.open("rb") as head:
        packed = head.read(2) == b"\x1f\x8b"
    opened: Any = gzip.open if packed else open
    merger = Merger(name, zone)
    with opened(file, "rt", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        lines: list[str] = []
        for line in stream:
            lines.append(line)
            if len(lines) >= _BATCH_LINES:
                yield merge(merger, lines, clock.now_ms())
                lines = []
        if lines:
            yield merge(merger, lines, clock.now_ms())


def merge(merger: Merger, lines: Iterable[str], received_at: int) -> Batch:
    """The reports of some lines, and the receiver's time after them."""
    positions, originals, refused = [], list[object](), []
    for line in lines:
        taken = merger.take(line, received_at)
        if taken is None:
            continue
        if isinstance(taken, Refused):
            refused.append(taken)
        else:
            positions.append(taken)
            originals.append(line.strip())
    return Batch(positions=positions, originals=originals, refused=refused, clock_ms=merger.clock.last_ms)


def _open(request: kinds.Request) -> Source:
    zone = kinds.time_zone(request.option("timezone"))
    if request.file is not None:
        return SbsFile(request.name, kinds.readable(request.file), zone)
    host, port = host_and_port(request.url or "", PORT)
    return Sbs(request.name, host, port, zone=zone)


KIND: Final = kinds.SourceKind(
    open=_open,
    summary="BaseStation lines of a receiver (port 30003 of readsb and dump1090), live or from a file",
    brings="barometric altitude, on ground, speed, track, vertical rate, callsign, squawk, emergency",
    rate="as it comes: up to two positions a second and aircraft",
    licence="your own receiver: yours",
    example="flight feed sbs --url tcp://127.0.0.1:30003 --timezone Europe/Paris",
    options=frozenset({"timezone"}),
    url_example=f"tcp://127.0.0.1:{PORT}",
    file_example="capture.csv",
)
