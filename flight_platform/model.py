"""The one record of the platform: a position report, its identifiers and what its fields can hold.

What belongs here is what is true of a report wherever it is. Bytes and columns are in `codec.py`; what a report
means for a flight is in `streaming/tracking.py`.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from flight_platform.errors import InvalidIdentifierError

NON_ICAO_BIT: Final = 1 << 24  # the 25th bit of an address: set where it is not an ICAO 24-bit address
ICAO24: Final = re.compile(r"~?[0-9a-f]{6}")
_FLIGHT_ID = re.compile(r"(~?[0-9a-f]{6})-([0-9a-f]{8})")
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Kind(IntEnum):
    """How a position came about; the numbers are those of `position.proto`."""

    ADSB = 1
    MLAT = 2
    TISB = 3
    ADSR = 4
    ADSC = 5
    MODE_S = 6
    FLARM = 7
    ASTERIX = 8
    OTHER = 9

    @property
    def label(self) -> str:
        """The text that JSON, SQL and Parquet show."""
        return self.name.lower()


class Emergency(IntEnum):
    """The emergency state that an aircraft declares; the numbers are those of `position.proto`."""

    NONE = 1
    GENERAL = 2
    MEDICAL = 3
    MINIMUM_FUEL = 4
    NO_RADIO = 5
    UNLAWFUL = 6
    DOWNED = 7
    RESERVED = 8

    @property
    def label(self) -> str:
        """The text that JSON, SQL and Parquet show."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One aircraft at one instant. None is unknown; a zero is a real zero.

    `time` and `received_at` are Unix milliseconds (UTC), `latitude` and `longitude` degrees WGS 84 in steps of 1e-7,
    `ground_speed_kt` and `track_deg` in steps of 0.1; `flight_id` is unset until the report is tracked.
    """

    icao24: str
    time: int
    received_at: int
    latitude: float
    longitude: float
    altitude_ft: int | None = None
    geometric_altitude_ft: int | None = None
    on_ground: bool | None = None
    ground_speed_kt: float | None = None
    track_deg: float | None = None
    vertical_rate_fpm: int | None = None
    callsign: str | None = None
    squawk: str | None = None
    emergency: Emergency | None = None
    kind: Kind | None = None
    source: str | None = None
    flight_id: int | None = None


def address_of(icao24: str) -> int:
    """The address as a number: `3c6444` is 0x3c6444, `~3c6444` has bit 24 set as well."""
    if not ICAO24.fullmatch(icao24):
        raise InvalidIdentifierError(f"{icao24!r} is no address: six lower-case hex digits, as in 3c6444 or ~3c6444")
    if icao24[0] == "~":
        return int(icao24[1:], 16) | NON_ICAO_BIT
    return int(icao24, 16)


def icao24_of(address: int) -> str:
    """The text of an address; the inverse of `address_of`."""
    if address & NON_ICAO_BIT:
        return f"~{address & 0xFFFFFF:06x}"
    return f"{address:06x}"


def make_flight_id(address: int, first_seen_s: int) -> int:
    """The 64-bit id of the flight of `address` that was first seen in Unix second `first_seen_s`."""
    return address << 32 | first_seen_s


def format_flight_id(flight_id: int) -> str:
    """The text of a flight id, as in `3c6444-67a1b2c3`."""
    return f"{icao24_of(flight_id >> 32)}-{flight_id & 0xFFFFFFFF:08x}"


def parse_flight_id(text: str) -> int:
    """The number of a flight id's text; raises InvalidIdentifierError where it is none."""
    match = _FLIGHT_ID.fullmatch(text)
    if match is None:
        raise InvalidIdentifierError(f"{text!r} is no flight id: it looks like 3c6444-67a1b2c3 or ~3c6444-67a1b2c3")
    return make_flight_id(address_of(match[1]), int(match[2], 16))


# What each number can be, both ends included. Altitudes: the 100 ft Gillham code ends at 126,700 ft and starts at
# -1,200 ft; the Dead Sea needs a little more. Speed: faster than any
# aircraft yet, and its tenths fit 16 bits. Vertical rate: the velocity message ends at 32,640 ft/min (DO-260B
# 2.2.3.2.6).
RANGES: Final[dict[str, tuple[float, float]]] = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "altitude_ft": (-2_000, 126_750),
    "geometric_altitude_ft": (-2_500, 135_000),
    "ground_speed_kt": (0.0, 3_200.0),
    "track_deg": (0.0, 360.0),
    "vertical_rate_fpm": (-32_640, 32_640),
}
_RANGE_ITEMS: Final = tuple(RANGES.items())
SQUAWK: Final = re.compile(r"[0-7]{4}")
_CALLSIGN = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,7}")


def out_of_range(position: Position) -> str | None:
    """What no aircraft can have, as text with field, value and limit; None where all is possible.

    A NaN counts as out of range: it compares false with every limit.
    """
    for name, (low, high) in _RANGE_ITEMS:
        value = getattr(position, name)
        if value is not None and not low <= value <= high:
            return f"{name} is {value}, possible is {low:g} to {high:g}"
    if not ICAO24.fullmatch(position.icao24):
        return f"icao24 is {position.icao24!r}, possible are six lower-case hex digits with or without a leading ~"
    if position.squawk is not None and not SQUAWK.fullmatch(position.squawk):
        return f"squawk is {position.squawk!r}, possible are four octal digits"
    return None


def clean_callsign(text: str | None) -> str | None:
    """The callsign without padding, or None where there is none (all blanks, `@` filler, or no callsign at all)."""
    if not text:
        return None
    stripped = text.strip(" @_\0").upper()
    return stripped if _CALLSIGN.fullmatch(stripped) else None
