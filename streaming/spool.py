"""A bounded queue of frames on disk: what a feed holds while Kafka is away. What is in a frame is its owner's matter.

    append ──► …4.spool │ …3.spool │ …2.spool ──► next ──► (sent, acknowledged) ──► done
                                       ▲
                             bound reached: the oldest file goes

    folder/
      lock                 held by the feed that uses the folder, as long as it lives
      cursor               "2 81920": what lies before is acknowledged
      00000002.spool       frames: length, CRC-32, number of records, newest time, then the bytes

Guarantees: `next` gives frames in the order of `append`; a frame whose `append` has returned outlives the death of the
process (not that of the machine: nothing waits for the disk); a frame is given again after a restart until it is done.
A torn end, which only a death in mid-write leaves, is told by length and CRC and cut off.

Where the bound is reached the oldest frames go, a file at a time: what is left is then one stretch up to the present,
so that flights go on where they are now. Nobody needs the start of an outage more than its end.
"""

import errno
import fcntl
import os
import struct
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NamedTuple

import structlog

from flight_platform.errors import SettingsError

log = structlog.get_logger()

_HEAD: Final = struct.Struct("<II")  # length and CRC-32 of what follows
_FACTS: Final = struct.Struct("<Iq")  # records, newest time
_SEGMENTS: Final = 16  # files that the bound is divided into: dropping the oldest costs a sixteenth of it
_LONGEST_FRAME: Final = 1 << 28  # a length beyond it is no length
_MOST_FOLDERS: Final = 64


class Frame(NamedTuple):
    """Records that are kept, sent and acknowledged together; the newest of their times, 0 where they have none."""

    payload: bytes
    records: int
    newest_ms: int = 0


class Place(NamedTuple):
    """Where a frame ends: the number of its file, and the bytes up to there."""

    segment: int
    end: int


@dataclass(slots=True)
class _Segment:
    """A file: its size, the records in it, and how many of these have been given by `next` or were done before."""

    number: int
    size: int = 0
    records: int = 0
    given: int = 0


class Spool:
    """The queue of one folder. Not for several threads at once; a second process gets SettingsError."""

    def __init__(self, folder: Path, bound_bytes: int) -> None:
        self._folder, self._bound, self._segment_bytes = folder, bound_bytes, max(bound_bytes // _SEGMENTS, 1)
        self._lock = _locked(folder)
        self._segments: deque[_Segment] = deque()
        self._acknowledged = Place(0, 0)
        self._read = self._kept = Place(0, 0)
        self._writing: IO[bytes] | None = None
        self._reading: IO[bytes] | None = None
        self._find()

    @property
    def size_bytes(self) -> int:
        """On disk."""
        return sum(segment.size for segment in self._segments)

    @property
    def fill(self) -> float:
        """How much of the bound is used, 0 to 1."""
        return min(self.size_bytes / self._bound, 1.0)

    @property
    def waiting(self) -> int:
        """Records that `next` has not given yet."""
        return sum(segment.records - segment.given for segment in self._segments)

    def append(self, frame: Frame) -> int:
        """Keeps a frame; returns how many records had to go for it: the oldest, or its own where the disk fails."""
        body = _FACTS.pack(frame.records, frame.newest_ms) + frame.payload
        data = _HEAD.pack(len(body), zlib.crc32(body)) + body
        dropped = 0
        while self._segments and self.size_bytes + len(data) > self._bound:
            dropped += self._drop_oldest()
        while True:
            try:
                self._write(data)
            except OSError as error:
                log.warning("spool_write_failed", folder=str(self._folder), problem=error.strerror)
                if not self._segments:
                    return dropped + frame.records
                dropped += self._drop_oldest()  # a disk that is full: our own oldest make room
            else:
                self._segments[-1].records += frame.records
                return dropped

    def next(self) -> tuple[Place, Frame] | None:
        """The oldest frame that has not been given; None where there is none."""
        while True:
            segment = self._unread_segment()
            if segment is None:
                return None
            if self._reading is None:
                self._reading = self._path(segment.number).open("rb")
                self._reading.seek(self._read.end)
            frame = _read_frame(self._reading)
            if frame is None:
                self._give_up_rest(segment)
                continue
            self._read = Place(segment.number, self._reading.tell())
            segment.given += frame.records
            return self._read, frame

    def done(self, place: Place) -> None:
        """Everything up to there is acknowledged and never given again. Places come in the order of `next`."""
        self._acknowledged = max(self._acknowledged, place)
        finished = False
        while self._segments and self._is_done(self._segments[0]):
            self._remove(self._segments.popleft())
            finished = True
        if finished:
            self.keep_cursor()

    def rewind(self) -> None:
        """Gives again what was given and is not done."""
        self._close_reading()
        self._read = self._acknowledged
        for segment in self._segments:
            segment.given = self._records_before(segment, self._acknowledged)

    def keep_cursor(self) -> None:
        """Writes down what is done: the less often, the more is sent twice after a crash."""
        if self._acknowledged == self._kept:
            return
        new = self._folder / "cursor.new"
        new.write_text(f"{self._acknowledged.segment} {self._acknowledged.end}\n")
        new.replace(self._folder / "cursor")
        self._kept = self._acknowledged

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the folder go to whoever opens it next."""
        self._close_reading()
        self._close_writing()
        self.keep_cursor()
        self._lock.close()

    def _find(self) -> None:
        """Takes up what an earlier run left."""
        numbers = sorted(int(path.stem) for path in self._folder.glob("*.spool") if path.stem.isdecimal())
        self._acknowledged = self._cursor(numbers[0] if numbers else 1)
        for number in numbers:
            segment = _Segment(number)
            segment.size, segment.records = self._measure(number)
            self._segments.append(segment)
        while self._segments and self._is_done(self._segments[0]):
            self._remove(self._segments.popleft())
        self.rewind()
        if self.waiting:
            log.info("spool_found", folder=str(self._folder), records=self.waiting, bytes=self.size_bytes)

    def _cursor(self, first: int) -> Place:
        try:
            segment, end = (int(word) for word in (self._folder / "cursor").read_text().split())
        except (OSError, ValueError):
            return Place(first, 0)
        return max(Place(segment, end), Place(first, 0))

    def _measure(self, number: int) -> tuple[int, int]:
        """The bytes and records of a file's whole frames; what follows them is cut off."""
        path, size, records = self._path(number), 0, 0
        with path.open("rb+") as file:
            while (frame := _read_frame(file)) is not None:
                size, records = file.tell(), records + frame.records
            torn = file.seek(0, os.SEEK_END) - size
            if torn:
                log.warning("spool_end_torn", file=str(path), bytes=torn, hint="a feed died while it wrote")
                file.truncate(size)
        return size, records

    def _write(self, data: bytes) -> None:
        last = self._segments[-1] if self._segments else None
        if last is None or self._writing is None or (last.size and last.size + len(data) > self._segment_bytes):
            last = self._new_segment()
        assert self._writing is not None  # noqa: S101  # made above
        try:
            _write_all(self._writing, data)
        except OSError:
            self._writing.truncate(last.size)  # half a frame would hide those that follow
            self._close_writing()
            raise
        last.size += len(data)

    def _new_segment(self) -> _Segment:
        self._close_writing()
        number = max(self._segments[-1].number if self._segments else 0, self._acknowledged.segment) + 1
        self._writing = self._path(number).open("wb", buffering=0)
        self._segments.append(_Segment(number))
        return self._segments[-1]

    def _drop_oldest(self) -> int:
        oldest = self._segments.popleft()
        self._remove(oldest)
        start = Place(oldest.number + 1, 0)
        self._acknowledged, self._read = max(self._acknowledged, start), max(self._read, start)
        self.keep_cursor()
        return oldest.records - oldest.given

    def _remove(self, segment: _Segment) -> None:
        if self._read.segment <= segment.number:
            self._close_reading()
        if not self._segments:
            self._close_writing()
        self._path(segment.number).unlink(missing_ok=True)

    def _unread_segment(self) -> _Segment | None:
        """The file that holds the next frame."""
        for segment in self._segments:
            if segment.number > self._read.segment:
                self._close_reading()
                self._read = Place(segment.number, 0)
            if segment.number == self._read.segment and self._read.end < segment.size:
                return segment
        return None

    def _give_up_rest(self, segment: _Segment) -> None:
        """A file that was whole and no longer is: nothing of ours does that."""
        lost = segment.records - segment.given
        log.error("spool_damaged", file=str(self._path(segment.number)), records_lost=lost)
        segment.given = segment.records
        self._close_reading()
        self._read = Place(segment.number, segment.size)

    def _is_done(self, segment: _Segment) -> bool:
        """Whether all of a file is acknowledged."""
        return self._acknowledged >= Place(segment.number, segment.size)

    def _records_before(self, segment: _Segment, place: Place) -> int:
        if segment.number != place.segment:
            return segment.records if segment.number < place.segment else 0
        records = 0
        with self._path(segment.number).open("rb") as file:
            while file.tell() < place.end and (frame := _read_frame(file)) is not None:
                records += frame.records
        return records

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.spool"

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading = None

    def _close_writing(self) -> None:
        if self._writing is not None:
            self._writing.close()
        self._writing = None


def open_spool(parent: Path, name: str, bound_bytes: int) -> Spool:
    """The spool of a source below `parent`: `name`, or `name-2` and so on where other feeds of that source run here."""
    for number in range(1, _MOST_FOLDERS):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            return Spool(folder, bound_bytes)
        except BlockingIOError:
            continue
    raise SettingsError(f"{_MOST_FOLDERS} feeds of {name!r} use {parent}: give each its own --name or FLIGHT_VAR")


def _locked(folder: Path) -> IO[bytes]:
    """The folder's lock, let go with the file however the process ends; raises BlockingIOError where it is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be used to hold reports while Kafka is away: {error.strerror}."
            " FLIGHT_VAR must name a folder that this process may write. Example: FLIGHT_VAR=var"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise
    return lock


def _write_all(file: IO[bytes], data: bytes) -> None:
    if file.write(data) < len(data):  # unbuffered: a disk that gets full takes a part
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_frame(file: IO[bytes]) -> Frame | None:
    """The frame at the file's place; None at its end and where what follows is no whole frame."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, crc = _HEAD.unpack(head)
    if not _FACTS.size <= length <= _LONGEST_FRAME:
        return None
    body = file.read(length)
    if len(body) < length or zlib.crc32(body) != crc:
        return None
    records, newest_ms = _FACTS.unpack_from(body)
    return Frame(body[_FACTS.size :], records, newest_ms)
