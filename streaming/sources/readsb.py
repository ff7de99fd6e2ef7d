"""The source `readsb`: aircraft.json of a receiver or of a v2 API, by HTTP or from a file. Its format is in
`readsb_format.py`.

GET or read ──► JSON ──► readsb_format ──► what is new since the last poll ──► Batch
"""

import gzip
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from flight_platform.errors import SettingsError, UndecodableError
from flight_platform.model import Position
from flight_platform.names import Reason
from flight_platform.telemetry import INGEST_RECORDS
from flight_platform.watch.heartbeats import SourceFacts
from streaming.sources import clock, fields, kinds
from streaming.sources.base import Batch, Refused, Source, exception_text
from streaming.sources.http import Http, seconds
from streaming.sources.polling import Outcome, poll_until_stopped
from streaming.sources.readsb_format import decode_answer

log = structlog.get_logger()

INTERVAL_S: Final = 1.0  # readsb rewrites its file once a second; the public v2 APIs allow one request a second
_FIRST_PAUSE_S: Final = 0.25  # a file that is being rewritten is whole again at once
_FILE_TRIES: Final = 5
_THROTTLED_S: Final = 5.0  # a public API that says "too many requests" and no more wants to be left alone for a while
_GZIP: Final = b"\x1f\x8b"


class NewOnly:
    """Keeps back positions that the last polls have brought already; forgets aircraft that were silent for long."""

    # `now` and `seen_pos` are both rounded (to 0.1 s in dump1090), so the same position comes with slightly other
    # times.
    JITTER_MS: Final = 250
    FORGET_MS: Final = 600_000
    _SWEEP_POLLS: Final = 60

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float, float]] = {}
        self._polls = 0

    def of(self, batch: Batch) -> Batch:
        """The batch without what is not new."""
        new = Batch(refused=batch.refused, clock_ms=batch.clock_ms)
        for position, original in zip(batch.positions, batch.originals, strict=True):
            if self._is_new(position):
                self._last[position.icao24] = (position.time, position.latitude, position.longitude)
                new.positions.append(position)
                new.originals.append(original)
        if len(new.positions) < len(batch.positions):
            duplicates = len(batch.positions) - len(new.positions)
            INGEST_RECORDS.labels(batch.positions[0].source, "duplicate").inc(duplicates)
        self._polls += 1
        if self._polls % self._SWEEP_POLLS == 0 and batch.clock_ms is not None:
            oldest = batch.clock_ms - self.FORGET_MS
            self._last = {icao24: last for icao24, last in self._last.items() if last[0] >= oldest}
        return new

    def _is_new(self, position: Position) -> bool:
        last = self._last.get(position.icao24)
        if last is None:
            return True
        time_ms, latitude, longitude = last
        if position.time == time_ms:
            return False
        same_place = position.latitude == latitude and position.longitude == longitude
        return not (same_place and abs(position.time - time_ms) <= self.JITTER_MS)

    def __len__(self) -> int:
        return len(self._last)


class Readsb:
    """An aircraft.json that is polled, by HTTP or from a file that a receiver rewrites."""

    repeatable = False
    polled = True
    record_format = "readsb"

    def __init__(self, name: str, *, url: str | None = None, file: Path | None = None, interval_s: float) -> None:
        self.name = name
        self._url, self._file, self._interval_s = url, file, interval_s
        self._http = Http()
        self._new = NewOnly()

    def facts(self) -> SourceFacts:
        """It gives something at each poll."""
        return SourceFacts(repeatable=False, period_s=self._interval_s)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """What is new, at each interval, until `stop` is set."""
        try:
            yield from poll_until_stopped(
                self._poll if self._url else self._read,
                stop,
                name=self.name,
                interval_s=lambda: self._interval_s,
                first_pause_s=min(_FIRST_PAUSE_S, self._interval_s),
            )
        finally:
            self._http.close()

    def _poll(self) -> Outcome:
        answer = self._http.get(self._url or "")
        if not answer.good:
            asked_s, throttled = seconds(answer.headers, "Retry-After"), answer.code == "429"
            pause_s = _THROTTLED_S if throttled and asked_s is None else asked_s
            return Outcome(code=answer.code, problem=answer.problem, pause_s=pause_s, throttled=throttled)
        return self._decode(answer.content, "200")

    def _read(self) -> Outcome:
        try:
            content = (self._file or Path()).read_bytes()
        except OSError as error:
            return Outcome(code="unreadable", problem=f"{self._file}: {error.strerror}")
        return self._decode(content, "read")

    def _decode(self, content: bytes, code: str) -> Outcome:
        try:
            batch = decode_content(content, self.name)
        except UndecodableError as error:
            return Outcome(code="undecodable", problem=f"{error}{hint(content)}")
        return Outcome(code=code, batch=self._new.of(batch))


class ReadsbFile:
    """One aircraft.json, read once. A file that is half written is read again a few times."""

    repeatable = True
    record_format = "readsb"

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self._file = file

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """One batch; the whole file as a refusal where it does not decode."""
        content, problem, exception = b"", "", ""
        for _ in range(_FILE_TRIES):
            try:
                content = self._file.read_bytes()
                yield decode_content(content, self.name)
            except UndecodableError as error:
                problem, exception = f"{error}{hint(content)}", exception_text(error)
            except OSError as error:
                problem, exception = f"{self._file}: {error.strerror}", exception_text(error)
            else:
                return
            if stop.wait(_FIRST_PAUSE_S):
                return
        log.warning("file_undecodable", source=self.name, file=str(self._file), problem=problem)
        refused = Refused(original=content, reason=Reason.UNDECODABLE, detail=problem, exception=exception)
        yield Batch(refused=[refused])


def decode_content(content: bytes, name: str) -> Batch:
    """The reports in the bytes of an aircraft.json, packed or not; raises UndecodableError."""
    return decode_answer(fields.parse_json(unpacked(content)), source=name, received_at=clock.now_ms())


def unpacked(content: bytes) -> bytes:
    """The content of a gzip file, and anything else as it is; raises UndecodableError for half a gzip file."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UndecodableError(f"not a whole gzip file: {error}") from error


def hint(content: bytes) -> str:
    """What the content rather looks like."""
    head = content[:200].lstrip().lower()
    if not head:
        return " (it is empty)"
    if head.startswith(b"<"):
        return " (it is HTML: is the address right, and does it need a login?)"
    return ""


def http_url(url: str, path: str) -> str:
    """The address with its path; `path` where it has none. Raises SettingsError where it is no HTTP address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            f"--url is {url!r}: an http:// address is expected. Example: --url http://127.0.0.1:8080{path}"
        )
    return url if parts.path.strip("/") or parts.query else url.rstrip("/") + path


def _open(request: kinds.Request) -> Source:
    interval_s = kinds.positive(request.option("interval"), "interval", "1")
    if request.file is not None:
        file = kinds.readable(request.file)
        return (
            ReadsbFile(request.name, file)
            if interval_s is None
            else Readsb(request.name, file=file, interval_s=interval_s)
        )
    url = http_url(request.url or "", "/data/aircraft.json")
    return Readsb(request.name, url=url, interval_s=interval_s or INTERVAL_S)


KIND: Final = kinds.SourceKind(
    open=_open,
    summary="aircraft.json of readsb, tar1090, dump1090, or a v2 API (adsb.lol, airplanes.live)",
    brings="both altitudes, on ground, speed, track, vertical rate, callsign, squawk, emergency, kind",
    rate="a poll a second (--interval), each position once; --file is read once, or followed with --interval",
    licence="your own receiver: yours; adsb.lol: ODbL 1.0; other APIs: their terms",
    example="flight feed readsb --url http://127.0.0.1:8080/data/aircraft.json",
    options=frozenset({"interval"}),
    url_example="http://127.0.0.1:8080/data/aircraft.json",
    file_example="/run/readsb/aircraft.json",
)
