"""The source `replay`: a recording, as fast as it goes or by the clock, as it was or moved in time. Formats are in
`recordings.py`.

recording ──► order ──► shift ──► wait until due ──► Batch
             (only where times or pace are asked for; else batches pass as they are read)
"""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import structlog

from flight_platform.errors import SettingsError
from flight_platform.model import Position
from flight_platform.watch.heartbeats import SourceFacts
from streaming.sources import clock, kinds
from streaming.sources.base import Batch, Source
from streaming.sources.recordings import Recording, open_recording

log = structlog.get_logger()

Rebase = Literal["now", "end-now"]
_TICK_MS: Final = 50  # reports that fall due within a tick are passed on together
_LOOK_S: Final = 0.25
_BATCH: Final = 2_000
_QUIET_MS: Final = 1_000  # in a gap of the recording its clock is told once a second
_RECORD_FORMATS: Final = {  # the recordings whose originals can be decoded one by one
    "our reports, NDJSON": "report",
    "our reports, CSV": "report",
    "our reports, Parquet": "report",
    "our reports, JSON": "report",
    "our reports, an answer of the API": "report",
    "lines of readsb, one aircraft each": "readsb",
    "lines of OpenSky answers": "opensky",
    "an OpenSky answer": "opensky",
}


class Replay:
    """A recording that is played. Without pace or shift, times and a recorded `received_at` stay as they are.

    speed: times real time, None for as fast as it goes; rebase: move the times so that the first report, or the last,
    is now; shift_s: move them by so many seconds; loop: start again at the end, rebased anew.
    """

    repeatable = True

    def __init__(
        self,
        name: str,
        file: Path,
        *,
        speed: float | None = None,
        rebase: Rebase | None = None,
        shift_s: float = 0,
        loop: bool = False,
        zone: ZoneInfo | None = None,
        keep_source: bool = True,
    ) -> None:
        self.name = name
        self._file = file
        self._speed, self._rebase, self._shift_ms, self._loop = speed, rebase, round(shift_s * 1000), loop
        self._recording = open_recording(file, name=name, keep_source=keep_source, zone=zone)

    @property
    def format(self) -> str:
        """What the file was recognised as."""
        return self._recording.format

    @property
    def record_format(self) -> str:
        """What one original is. Where times are moved, none of them says what was refused."""
        moved = self._rebase is not None or self._shift_ms
        return "recording" if moved else _RECORD_FORMATS.get(self.format, "recording")

    def facts(self) -> SourceFacts:
        """A recording that plays as the present never tells the same time twice: what was missed of it is gone."""
        return SourceFacts(repeatable=self._rebase is None)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports, again and again where it loops."""
        log.info("recording", source=self.name, file=str(self._file), format=self.format)
        plain = self._speed is None and self._rebase is None and not self._shift_ms
        while not stop.is_set():
            reports = 0
            for batch in self._plain() if plain else self._played(stop):
                reports += len(batch.positions)
                yield batch
                if stop.is_set():
                    return
            if not self._loop:
                return
            if not reports:
                log.warning("recording_empty", source=self.name, hint="there is nothing to play again")
                return

    def _plain(self) -> Iterator[Batch]:
        return self._recording.batches()

    def _played(self, stop: threading.Event) -> Iterator[Batch]:
        """One pass with times moved and pace kept."""
        ordered_batches = None if self._recording.in_order else list(in_order(self._recording))
        batches = iter(self._recording.batches() if ordered_batches is None else ordered_batches)
        pace: _Pace | None = None
        for batch in batches:
            if stop.is_set():
                return
            if batch.refused:
                yield Batch(refused=batch.refused)
            if batch.positions:
                if pace is None:
                    first_ms = batch.positions[0].time
                    shift_ms = self._shift_ms + self._rebased_by(first_ms, ordered_batches)
                    pace = _Pace(self._speed, first_ms, shift_ms, stop)
                yield from pace.play(batch)
        if pace is not None:
            yield from pace.rest()

    def _rebased_by(self, first_ms: int, loaded: list[Batch] | None) -> int:
        if self._rebase is None:
            return 0
        if self._rebase == "now":
            return clock.now_ms() - first_ms
        newest_ms = self._recording.newest_ms
        if newest_ms is None:  # only reading all of it tells
            batches = self._recording.batches() if loaded is None else loaded
            newest_ms = max((p.time for batch in batches for p in batch.positions), default=first_ms)
        return clock.now_ms() - newest_ms


def in_order(recording: Recording) -> Iterator[Batch]:
    """The reports by time across aircraft; those of one aircraft stay in the file's order, late ones included.

    A file may be grouped by aircraft, so all of it is read first.
    """
    newest: dict[str, int] = {}
    keyed: list[tuple[int, Position, object]] = []
    for batch in recording.batches():
        if batch.refused:
            yield Batch(refused=batch.refused)
        for position, original in zip(batch.positions, batch.originals, strict=True):
            key = newest[position.icao24] = max(position.time, newest.get(position.icao24, 0))
            keyed.append((key, position, original))
    keyed.sort(key=lambda row: row[0])
    for start in range(0, len(keyed), _BATCH):
        rows = keyed[start : start + _BATCH]
        yield Batch(positions=[row[1] for row in rows], originals=[row[2] for row in rows])


class _Pace:
    """Lets reports through when they are due, with their times moved."""

    def __init__(self, speed: float | None, first_ms: int, shift_ms: int, stop: threading.Event) -> None:
        self._speed, self._first_ms, self._shift_ms, self._stop = speed, first_ms, shift_ms, stop
        self._started_ms = clock.now_ms()
        self._positions: list[Position] = []
        self._originals: list[object] = []
        self._told_ms = self._started_ms

    def play(self, batch: Batch) -> Iterator[Batch]:
        """The reports of a batch as they fall due; what falls due with the next batch's is kept for it."""
        now_ms = clock.now_ms()
        for position, original in zip(batch.positions, batch.originals, strict=True):
            if self._speed is not None:
                due_ms = self._due_ms(position.time)
                while due_ms > now_ms:
                    yield from self.rest()
                    if self._stop.wait(min((due_ms - now_ms) / 1000, _LOOK_S)):
                        return
                    now_ms = clock.now_ms()
                    yield from self._quiet(now_ms)
            self._positions.append(position)
            self._originals.append(original)
            if len(self._positions) >= _BATCH:
                yield from self.rest()
                if self._stop.is_set():
                    return
                now_ms = clock.now_ms()

    def _due_ms(self, time_ms: int) -> int:
        after_ms = (time_ms - self._first_ms) / (self._speed or 1)
        return self._started_ms + math.ceil(after_ms / _TICK_MS) * _TICK_MS

    def rest(self) -> Iterator[Batch]:
        """What is due and has not been passed on."""
        if not self._positions:
            return
        received_at = self._told_ms = clock.now_ms()
        moved = [restamp(position, self._shift_ms, received_at) for position in self._positions]
        newest = max(position.time for position in moved)
        batch = Batch(positions=moved, originals=self._originals, clock_ms=newest)
        self._positions, self._originals = [], []
        yield batch

    def _quiet(self, now_ms: int) -> Iterator[Batch]:
        """The recording's clock in a gap: a quiet sky is no stall."""
        if now_ms - self._told_ms < _QUIET_MS:
            return
        self._told_ms = now_ms
        played_ms = round((now_ms - self._started_ms) * (self._speed or 1))
        yield Batch(clock_ms=self._first_ms + played_ms + self._shift_ms)


def restamp(position: Position, shift_ms: int, received_at: int) -> Position:
    """The report at another time. Written out: `dataclasses.replace` takes three times as long."""
    return Position(
        icao24=position.icao24,
        time=position.time + shift_ms,
        received_at=received_at,
        latitude=position.latitude,
        longitude=position.longitude,
        altitude_ft=position.altitude_ft,
        geometric_altitude_ft=position.geometric_altitude_ft,
        on_ground=position.on_ground,
        ground_speed_kt=position.ground_speed_kt,
        track_deg=position.track_deg,
        vertical_rate_fpm=position.vertical_rate_fpm,
        callsign=position.callsign,
        squawk=position.squawk,
        emergency=position.emergency,
        kind=position.kind,
        source=position.source,
    )


def _open(request: kinds.Request) -> Source:
    if request.file is None:
        raise SettingsError("--file is missing: replay plays a file. Example: " + KIND.example)
    rebase = kinds.choice(request.option("rebase"), "rebase", ("now", "end-now"))
    speed = _speed(request.option("speed"), rebase)
    shift_s = kinds.finite(request.option("shift") or 0, "shift", "-3600")
    if shift_s and rebase:
        raise SettingsError("--shift and --rebase both move the times: give one of them. Example: --rebase now")
    return Replay(
        request.name,
        request.file if request.file.is_dir() else kinds.readable(request.file),
        speed=speed,
        rebase=rebase,  # type: ignore[arg-type]  # one of the two, by choice()
        shift_s=shift_s,
        loop=bool(request.option("loop")),
        zone=kinds.time_zone(request.option("timezone")),
        keep_source=not request.named,
    )


def _speed(value: object, rebase: str | None) -> float | None:
    """The pace: None for as fast as it goes, which 0 asks for as well. Rebased to now, real time is what is meant."""
    if value is None:
        return 1.0 if rebase == "now" else None
    speed = kinds.finite(value, "speed", "1")
    if speed < 0:
        raise SettingsError(f"--speed is {value!r}: 0 (as fast as it goes) or more is expected. Example: --speed 1")
    if rebase == "now" and (speed > 1 or speed == 0):
        log.warning(
            "ahead_of_the_clock",
            hint="times run ahead of the clock, and the feed refuses what is too far in the future; "
            "--rebase end-now stays behind it",
        )
    return speed or None


KIND: Final = kinds.SourceKind(
    open=_open,
    summary="a recording: our own reports, what another source has recorded, or a folder of tar1090 traces",
    brings="what the recording holds",
    rate="as fast as it goes; by the clock with --speed or --rebase now",
    licence="the recording's",
    example="flight feed replay recording.jsonl.gz --rebase now",
    options=frozenset({"speed", "rebase", "shift", "loop", "timezone"}),
    url_example=None,
    file_example="recording.jsonl.gz",
)
