"""Beast frames: bytes in, frames and their times out. What is in a frame is `mode_s_format.py`'s matter.

    0x1a  type  timestamp (6 bytes)  signal (1 byte)  message    in which each further 0x1a is doubled

Types: `1` Mode A/C (2 bytes), `2` short Mode S (7), `3` long Mode S (14); receivers put in frames of their own as
well (status, position, receiver id), which are passed over.
"""

import math
import re
from typing import Final, NamedTuple

_ESCAPE: Final = 0x1A
_STAMP: Final = 7  # timestamp and signal, before the message
_SHORT, _LONG = 7, 14
# How many bytes follow the type, undoubled. `4` and `5` are the Radarcape's status and place, 0xe3 the id of the
# receiver that readsb passes on, `P` its answer to a ping.
_LENGTHS: Final = {0x31: _STAMP + 2, 0x32: _STAMP + _SHORT, 0x33: _STAMP + _LONG, 0x34: 21, 0x35: 21, 0xE3: 8, 0x50: 3}
_WHOLE: Final = re.compile(
    rb"\x1a(?:2((?:[^\x1a]|\x1a\x1a){%d})|3((?:[^\x1a]|\x1a\x1a){%d}))" % (_STAMP + _SHORT, _STAMP + _LONG), re.DOTALL
)
_LONGEST: Final = 2 + 2 * 21  # bytes of a frame in which all is doubled
GARBAGE: Final = 4_096  # so many bytes without a frame are told at once: this is no Beast stream

# What stands in place of a timestamp where a frame has not been received by this receiver.
MLAT: Final = 0xFF004D4C4154  # "MLAT": computed from many receivers
_NO_TIME_FROM: Final = 0xFF0000000000
_TICKS_A_MS: Final = 12_000  # the counter runs at 12 MHz
_RESTART_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_START_SLACK_MS: Final = 60_000  # a start may be named a little late
_GPS_NANOSECOND_BITS: Final = 30


class Frame(NamedTuple):
    """A Mode S frame: the counter of its receiver and the message."""

    counter: int
    message: bytes

    @property
    def timed(self) -> bool:
        """The counter is a time."""
        return 0 < self.counter < _NO_TIME_FROM


class Splitter:
    """Cuts a stream into frames; how the stream is cut into pieces makes no difference.

    Bytes that belong to no frame come out as bytes. Half a frame at the start is not told: a stream is joined at any
    moment.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._garbage = bytearray()
        self._joined = False

    def feed(self, piece: bytes) -> list[Frame | bytes]:
        """The frames that a piece completes, in their order."""
        buffer, at, out = self._rest + piece, 0, list[Frame | bytes]()
        while at < len(buffer):
            whole = _WHOLE.match(buffer, at)
            if whole is not None:
                self._tell_garbage(out)
                out.append(_frame((whole[1] or whole[2]).replace(b"\x1a\x1a", b"\x1a")))
                at = whole.end()
                continue
            end = self._passed_over(buffer, at, out)
            if end == at:
                break
            at = end
        self._rest = buffer[at:]
        return out

    def finish(self) -> list[Frame | bytes]:
        """What is left at the end of a stream."""
        out: list[Frame | bytes] = []
        self._keep_garbage(self._rest, out)
        self._rest = b""
        if self._garbage:
            out.append(bytes(self._garbage))
            self._garbage.clear()
        return out

    def _passed_over(self, buffer: bytes, at: int, out: list[Frame | bytes]) -> int:
        """Where to go on behind what is no Mode S frame; `at` itself where more bytes are needed to tell."""
        if buffer[at] != _ESCAPE:
            end = buffer.find(_ESCAPE, at)
            end = len(buffer) if end < 0 else end
            self._keep_garbage(buffer[at:end], out)
            return end
        if at + 1 == len(buffer):
            return at
        length = _LENGTHS.get(buffer[at + 1])
        if length is None:  # a doubled 0x1a of half a frame, or a type that nobody knows
            self._keep_garbage(buffer[at : at + 2], out)
            return at + 2
        end, left = at + 2, length
        while left:
            if end >= len(buffer):
                return at
            if buffer[end] == _ESCAPE:
                if end + 1 >= len(buffer):
                    return at
                if buffer[end + 1] != _ESCAPE:  # the next frame starts before this one is whole
                    self._keep_garbage(buffer[at:end], out)
                    return end
                end += 1
            end, left = end + 1, left - 1
        self._tell_garbage(out)
        return end

    def _keep_garbage(self, garbage: bytes, out: list[Frame | bytes]) -> None:
        self._garbage += garbage
        while len(self._garbage) >= GARBAGE:
            out.append(bytes(self._garbage[:GARBAGE]))
            del self._garbage[:GARBAGE]
            self._joined = True

    def _tell_garbage(self, out: list[Frame | bytes]) -> None:
        """A frame has come: what was no frame before it is told, save half a frame at the start."""
        if self._garbage and (self._joined or len(self._garbage) > _LONGEST):
            out.append(bytes(self._garbage))
        self._garbage.clear()
        self._joined = True


def _frame(body: bytes) -> Frame:
    return Frame(int.from_bytes(body[:6], "big"), body[_STAMP:])


class RepeatFilter:
    """Knows exact repeats of frames: a capture may hold blocks of itself. Remembers the last 100,000 and more."""

    _MANY: Final = 100_000

    def __init__(self) -> None:
        self._young: set[Frame] = set()
        self._old: set[Frame] = set()

    def is_repeat(self, frame: Frame) -> bool:
        """Whether this very frame was there before; without a time the same message may well come again."""
        if not frame.timed:
            return False
        if frame in self._young or frame in self._old:
            return True
        self._young.add(frame)
        if len(self._young) >= self._MANY:
            self._old, self._young = self._young, set()
        return False


class CounterClock:
    """The times of a capture whose start is known, by the receiver's 12 MHz counter.

    A receiver that starts anew starts its counter anew: time then goes on from where it was.
    """

    def __init__(self, start_ms: int) -> None:
        self._base_ms = float(start_ms)
        self._first: int | None = None
        self._last_ms = float(start_ms)

    def read(self, frame: Frame, _received_at: int) -> int:
        """Unix milliseconds of a frame; that of the frame before where its receiver gave it none."""
        if frame.timed:
            if self._first is None:
                self._first = frame.counter
            time_ms = self._base_ms + (frame.counter - self._first) / _TICKS_A_MS
            if time_ms < self._last_ms - _RESTART_MS:
                self._base_ms, self._first, time_ms = self._last_ms, frame.counter, self._last_ms
            self._last_ms = time_ms
        return round(self._last_ms)


class GpsClock:
    """The times of a receiver that counts by GPS: 18 bits of the second of the day (UTC), 30 bits of nanoseconds.

    The day is the one that brings a frame next to the one before; the first frame of a capture comes within a day of
    its start, so that a date is start enough.
    """

    def __init__(self, start_ms: int | None = None) -> None:
        self._start_ms, self._near_ms = start_ms, start_ms

    def read(self, frame: Frame, received_at: int) -> int:
        """Unix milliseconds of a frame; of its reception where its receiver gave it no time of a day."""
        near_ms = received_at if self._near_ms is None else self._near_ms
        nanoseconds = frame.counter & ((1 << _GPS_NANOSECOND_BITS) - 1)
        of_day_ms = (frame.counter >> _GPS_NANOSECOND_BITS) * 1000 + nanoseconds // 1_000_000
        if not frame.timed or of_day_ms >= _DAY_MS:
            return near_ms
        days = round((near_ms - of_day_ms) / _DAY_MS)
        if near_ms == self._start_ms:
            days = math.ceil((near_ms - _START_SLACK_MS - of_day_ms) / _DAY_MS)
        time_ms = days * _DAY_MS + of_day_ms
        if self._near_ms is not None:
            self._near_ms = time_ms
        return time_ms


class ArrivalClock:
    """The times of a live stream: each frame is as new as its reception."""

    def read(self, _frame: Frame, received_at: int) -> int:
        """Unix milliseconds of the reception."""
        return received_at


FrameClock = CounterClock | GpsClock | ArrivalClock
