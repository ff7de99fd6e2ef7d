"""SBS-1 (BaseStation) lines, merged per aircraft: lines in, reports out. Where the lines come from is in `sbs.py`.

A line, 22 fields: 0 MSG, 1 type, 4 address, 6 and 7 date and time generated, 8 and 9 logged, 10 callsign, 11
altitude, 12 speed, 13 track, 14 latitude, 15 longitude, 16 vertical rate, 17 squawk, 19 emergency, 21 on ground.

Each line is partial. A position line (types 2 and 3) is a report; what it does not say is taken from the newest other
lines of its aircraft, where they are not too old.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from flight_platform.errors import UndecodableError
from flight_platform.model import Emergency, Position, clean_callsign
from streaming.sources import fields
from streaming.sources.base import Refused

# How long a field of another line counts: what changes in flight (a velocity line comes twice a second), and what
# does not.
MOTION_MS: Final = 20_000
IDENTITY_MS: Final = 300_000
_FORGET_MS: Final = 600_000  # an aircraft that has been silent for this long is forgotten
_SWEEP_LINES: Final = 50_000

OTHER_LINES: Final = frozenset({"SEL", "ID", "AIR", "STA", "CLK"})
_POSITION_TYPES: Final = frozenset({"2", "3"})
_FIELDS: Final = 22  # fewer is a line cut short: its last number may be cut short as well

_DAY_MS: Final = 86_400_000
_MIDNIGHT_SLACK_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_TRUE: Final = frozenset({"-1", "1"})
_EMERGENCY_OF_SQUAWK: Final = {"7500": Emergency.UNLAWFUL, "7600": Emergency.NO_RADIO}


@lru_cache(maxsize=8192)
def _minute_ms(date: str, hours_minutes: str, zone: ZoneInfo, fold: int) -> int:
    """Unix milliseconds of a local minute."""
    year, month, day = date.split("/")
    hour, minute = hours_minutes.split(":")
    local = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=zone, fold=fold)
    return int(local.timestamp()) * 1000


class LineClock:
    """The times of lines that name no time zone, and sometimes no date.

    The line before helps: in the hour that comes twice in autumn, and where a receiver writes the date of the day
    before or after around midnight.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.last_ms: int | None = None

    def read(self, date: str, time: str, now_ms: int) -> int:
        """Unix milliseconds of a line's date and time; raises UndecodableError where they are none."""
        near_ms = now_ms if self.last_ms is None else self.last_ms
        try:
            rest_ms = round(float(time[6:]) * 1000)
            if date:
                time_ms = self._minute(date, time[:5], near_ms) + rest_ms
                time_ms = self._near_midnight(time_ms, near_ms)
            else:
                today = datetime.fromtimestamp(near_ms / 1000, self._zone).strftime("%Y/%m/%d")
                time_ms = _minute_ms(today, time[:5], self._zone, 0) + rest_ms
                time_ms -= round((time_ms - near_ms) / _DAY_MS) * _DAY_MS
        except (ValueError, OverflowError, OSError) as error:
            raise UndecodableError(f"no time in {date!r} {time!r}: {error}") from error
        if not 0 <= rest_ms < 61_000:
            raise UndecodableError(f"no time in {date!r} {time!r}: seconds are 0 to 60")
        self.last_ms = fields.checked_moment(time_ms, "time")
        return time_ms

    def _minute(self, date: str, hours_minutes: str, near_ms: int) -> int:
        first = _minute_ms(date, hours_minutes, self._zone, 0)
        second = _minute_ms(date, hours_minutes, self._zone, 1)
        return second if abs(second - near_ms) < abs(first - near_ms) else first

    def _near_midnight(self, time_ms: int, near_ms: int) -> int:
        if self.last_ms is None:
            return time_ms
        for shifted in (time_ms + _DAY_MS, time_ms - _DAY_MS):
            if abs(shifted - near_ms) <= _MIDNIGHT_SLACK_MS and self._is_at_midnight(time_ms):
                return shifted
        return time_ms

    def _is_at_midnight(self, time_ms: int) -> bool:
        local = datetime.fromtimestamp(time_ms / 1000, self._zone)
        return (local.hour, local.minute) in {(0, 0), (23, 59)}


@dataclass(slots=True)
class _Heard:
    """The newest fields of one aircraft and when each was heard, Unix milliseconds."""

    seen_ms: int = 0
    values: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def newest(self, name: str, now_ms: int, longest_ms: int) -> Any:
        """A field that is not too old; None where there is none."""
        heard = self.values.get(name)
        return heard[1] if heard is not None and abs(now_ms - heard[0]) <= longest_ms else None


class Merger:
    """Turns the lines of one receiver into reports, in their order."""

    def __init__(self, source: str, zone: ZoneInfo | None = None) -> None:
        self._source = source
        self.clock = LineClock(zone or ZoneInfo("UTC"))
        self._aircraft: dict[str, _Heard] = {}
        self._lines = 0

    def take(self, line: str, received_at: int) -> Position | Refused | None:
        """The report of a position line, a refusal, or None for every other line. Never raises."""
        line = line.strip(" \r\n\0")
        if not line:
            return None  # a heartbeat
        try:
            return self._merge(line.split(","), received_at)
        except UndecodableError as error:
            return Refused.undecodable(line.encode("utf-8", "surrogateescape"), error)

    def _merge(self, cells: list[str], received_at: int) -> Position | None:
        if cells[0] in OTHER_LINES:
            return None
        if cells[0] != "MSG" or len(cells) != _FIELDS:
            raise UndecodableError(f"no SBS line: MSG and {_FIELDS} fields are expected, {len(cells)} came")
        time_ms = self._time(cells, received_at)
        aircraft = self._aircraft.setdefault(cells[4], _Heard())
        aircraft.seen_ms = time_ms
        _note(aircraft.values, cells, time_ms)
        self._sweep(time_ms)
        if cells[1] not in _POSITION_TYPES or not cells[14] or not cells[15]:
            return None
        return self._report(aircraft, cells, time_ms, received_at)

    def _time(self, cells: list[str], received_at: int) -> int:
        if cells[7]:
            return self.clock.read(cells[6], cells[7], received_at)
        if cells[9]:
            return self.clock.read(cells[8], cells[9], received_at)
        raise UndecodableError("no time in the line")

    def _report(self, aircraft: _Heard, cells: list[str], time_ms: int, received_at: int) -> Position:
        newest = aircraft.newest
        grounded = newest("on_ground", time_ms, MOTION_MS)
        return Position(
            icao24=fields.address(cells[4], "hex ident"),
            time=time_ms,
            received_at=received_at,
            latitude=round(_number(cells[14], "latitude"), 7),
            longitude=round(_number(cells[15], "longitude"), 7),
            altitude_ft=newest("altitude", time_ms, MOTION_MS),
            on_ground=True if grounded is None and cells[1] == "2" else grounded,
            ground_speed_kt=newest("speed", time_ms, MOTION_MS),
            track_deg=newest("track", time_ms, MOTION_MS),
            vertical_rate_fpm=newest("rate", time_ms, MOTION_MS),
            callsign=newest("callsign", time_ms, IDENTITY_MS),
            squawk=newest("squawk", time_ms, IDENTITY_MS),
            emergency=newest("emergency", time_ms, IDENTITY_MS),
            source=self._source,
        )

    def _sweep(self, time_ms: int) -> None:
        self._lines += 1
        if self._lines % _SWEEP_LINES == 0:
            self._aircraft = {
                hex_: heard for hex_, heard in self._aircraft.items() if time_ms - heard.seen_ms < _FORGET_MS
            }


def _note(values: dict[str, tuple[int, Any]], cells: list[str], time_ms: int) -> None:
    """Keeps what a line says."""
    if cells[10]:
        callsign = clean_callsign(cells[10])
        if callsign is not None:
            values["callsign"] = (time_ms, callsign)
    if cells[11]:
        values["altitude"] = (time_ms, fields.whole(_number(cells[11], "altitude"), "altitude"))
    if cells[12]:
        values["speed"] = (time_ms, round(_number(cells[12], "ground speed"), 1))
    if cells[13]:
        values["track"] = (time_ms, fields.track(_number(cells[13], "track")))
    if cells[16]:
        values["rate"] = (time_ms, fields.whole(_number(cells[16], "vertical rate"), "vertical rate"))
    if cells[17]:
        values["squawk"] = (time_ms, fields.squawk(cells[17]))
    if cells[19]:
        state = Emergency.NONE
        if cells[19] in _TRUE:
            squawk = values.get("squawk", (0, ""))[1]
            state = _EMERGENCY_OF_SQUAWK.get(squawk, Emergency.GENERAL)
        values["emergency"] = (time_ms, state)
    if cells[21]:
        values["on_ground"] = (time_ms, cells[21] in _TRUE)


def _number(cell: str, name: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise UndecodableError(f"{name} is {cell[:50]!r}: a number is expected") from None


def zone_hint(clock_ms: int, now_ms: int) -> str | None:
    """What to do where a live receiver's clock is a time zone away from ours; None where it is not."""
    away_ms = clock_ms - now_ms
    quarters = round(away_ms / (_HOUR_MS // 4))
    if quarters == 0 or abs(away_ms - quarters * (_HOUR_MS // 4)) > _HOUR_MS // 12:
        return None
    shown = datetime.fromtimestamp(clock_ms / 1000, UTC).strftime("%H:%M")
    return f"its lines say {shown}, {quarters / 4:+g} h from now: name its time zone, as in --timezone Asia/Tokyo"
