"""What readers can ask with: boxes, times, flight ids, addresses, and how their texts are read.

A type here says in its error what is expected; `EXAMPLES` holds a right value for each parameter, for the errors and
the documentation alike. What a parameter selects is in `active.py` and `history.py`.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from flight_platform.codec import parse_time
from flight_platform.model import SOURCE_NAME, address_of, parse_flight_id

EXAMPLES: Final[dict[str, str]] = {
    "bbox": "5.5,45.5,11,48.2",
    "on_ground": "false",
    "min_altitude_ft": "10000",
    "max_altitude_ft": "45000",
    "min_ground_speed_kt": "100",
    "max_ground_speed_kt": "600",
    "kind": "adsb",
    "max_age_s": "30",
    "fields": "latitude,longitude,track_deg",
    "z": "4",
    "x": "8",
    "y": "5",
    "suffix": "json",
    "last_event_id": "1769860800250",
    "callsign": "SWR",
    "source": "opensky",
    "limit": "1000",
    "lat": "47.46",
    "lon": "8.55",
    "radius_nm": "50",
    "flight_id": "3c6444-67a1b2c3",
    "icao24": "3c6444",
    "from": "2026-01-31T12:00:00Z",
    "to": "2026-01-31T13:00:00Z",
    "low_ft": "10000",
    "high_ft": "20000",
    "format": "geojson",
    "time": "2026-01-31T12:00:00Z",
    "step_s": "10",
    "error_m": "50",
    "error_ft": "100",
    "registration": "D-AIBD",
    "departure_airport": "LFPO",
    "arrival_airport": "LSZH",
    "begin": "1769860800",
    "end": "1769864400",
    "airport": "LSZH",
}

FIRST_YEAR: Final = 1970
END_YEAR: Final = 2106  # in it the 32 bits of a flight id's second end
_BOX_TEXT: Final = "west,south,east,north in degrees"
_BOX_PATTERN: Final = r"^-?\d+(\.\d+)?(,-?\d+(\.\d+)?){3}$"
_ADDRESS_PATTERN: Final = "~?[0-9a-fA-F]{6}"
FLIGHT_ID_PATTERN: Final = f"{_ADDRESS_PATTERN}-[0-9a-fA-F]{{8}}"
_LOST_PLUS: Final = re.compile(r" (?=\d\d:?\d\d$)")  # "+02:00" arrives as " 02:00" where a client did not escape it


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the map, degrees WGS 84. It crosses the antimeridian where west > east."""

    west: float
    south: float
    east: float
    north: float

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """West, south, east, north: how the stores take it."""
        return self.west, self.south, self.east, self.north


class Query(BaseModel):
    """The query parameters of an operation. One that is misspelt is refused, not ignored: a lost filter shows more."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def parse_box(value: Any) -> Box:
    """The box in `west,south,east,north`; raises ValueError that says what is wrong with it."""
    try:
        edges = [float(part) for part in str(value).split(",")]
    except ValueError:
        edges = []
    if len(edges) != 4 or not all(map(math.isfinite, edges)):
        raise ValueError(f"{str(value)[:80]!r} is no box: four numbers are expected, {_BOX_TEXT}")
    box = Box(*edges)
    for name, limit in (("west", 180), ("south", 90), ("east", 180), ("north", 90)):
        if abs(getattr(box, name)) > limit:
            raise ValueError(
                f"{name} is {getattr(box, name):g}, possible is -{limit} to {limit}; the order is {_BOX_TEXT}"
            )
    if box.south > box.north:
        raise ValueError(f"south ({box.south:g}) is north of north ({box.north:g}); the order is {_BOX_TEXT}")
    return box


def parse_moment(value: Any) -> datetime:
    """The time in ISO 8601 text (UTC where it names no zone) or Unix seconds; raises ValueError."""
    text = _LOST_PLUS.sub("+", str(value).strip())
    try:
        moment = datetime.fromtimestamp(parse_time(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{str(value)[:80]!r} is no time: ISO 8601 text or Unix seconds are expected") from None
    if not FIRST_YEAR <= moment.year < END_YEAR:
        raise ValueError(f"{moment:%Y-%m-%d} is no time of ours: possible are {FIRST_YEAR} to {END_YEAR - 1}")
    return moment


def _callsign_prefix(text: str) -> str:
    cleaned = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9]{1,8}", cleaned):
        raise ValueError(f"{text[:80]!r} is no callsign: one to eight letters and digits, or the first few of them")
    return cleaned


def _registration(text: str) -> str:
    cleaned = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9-]{2,10}", cleaned):
        raise ValueError(f"{text[:80]!r} is no registration: two to ten letters, digits and hyphens, as painted on it")
    return cleaned


def _airport(text: str) -> str:
    cleaned = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9]{3,4}", cleaned):
        raise ValueError(f"{text[:80]!r} is no airport: an ICAO location indicator is expected")
    return cleaned


def _source_name(text: str) -> str:
    if not SOURCE_NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no source: the name of a feed in lower case")
    return text


def _address(text: str) -> str:
    lower = text.strip().lower()[:80]
    address_of(lower)
    return lower


def _flight_id_text(text: str) -> str:
    lower = text.strip().lower()[:80]
    parse_flight_id(lower)
    return lower


def _text(pattern: str) -> WithJsonSchema:
    """How the document tells a text of that form."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


BoxText = Annotated[
    Box,
    BeforeValidator(parse_box),
    WithJsonSchema(
        {"type": "string", "pattern": _BOX_PATTERN, "description": _BOX_TEXT, "examples": [EXAMPLES["bbox"]]}
    ),
]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
            "examples": [EXAMPLES["from"]],
        }
    ),
]
CallsignPrefix = Annotated[str, AfterValidator(_callsign_prefix), _text("[A-Za-z0-9]{1,8}")]
Registration = Annotated[str, AfterValidator(_registration), _text("[A-Za-z0-9-]{2,10}")]
Airport = Annotated[str, AfterValidator(_airport), _text("[A-Za-z0-9]{3,4}")]
SourceName = Annotated[str, AfterValidator(_source_name), _text(SOURCE_NAME.pattern)]
Icao24 = Annotated[str, AfterValidator(_address), _text(_ADDRESS_PATTERN)]
FlightIdPath = Annotated[
    str, AfterValidator(_flight_id_text), _text(FLIGHT_ID_PATTERN), Path(examples=[EXAMPLES["flight_id"]])
]
Icao24Path = Annotated[str, AfterValidator(_address), _text(_ADDRESS_PATTERN), Path(examples=[EXAMPLES["icao24"]])]
