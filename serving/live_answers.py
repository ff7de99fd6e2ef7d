"""Live answers as JSON: filters over positions, and the bytes of a list.

Pure: no store and no HTTP. The bytes are written by hand from a template, since a whole world of 6,500 flights through
`to_record` and `json` costs twice as much; `codec.to_record` says what they must be, and a test holds them to it.
"""

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator
from pydantic_core.core_schema import ValidationInfo

from flight_platform.codec import iso_time
from flight_platform.live.client import LiveAnswer
from flight_platform.model import Emergency, Kind, Position, format_flight_id
from serving.parameters import EXAMPLES, CallsignPrefix, Query, SourceName

LIMIT: Final = 10_000  # flights in one answer, about 4 MB: all that were ever in the air at once are more
EARTH_RADIUS_NM: Final = 3440.065  # mean radius, 6371.009 km


def _field(name: str, description: str, default: Any = None, **limits: Any) -> Any:
    return Field(default, description=description, examples=[EXAMPLES[name]], **limits)


class Filters(Query):
    """Which flights of those found are wanted. What a flight does not tell does not match: unknown is not false."""

    on_ground: bool | None = _field("on_ground", "only those on the ground, or only those that are not")
    min_altitude_ft: int | None = _field("min_altitude_ft", "barometric altitude at least", ge=-2000, le=200_000)
    max_altitude_ft: int | None = _field("max_altitude_ft", "barometric altitude at most", ge=-2000, le=200_000)
    callsign: CallsignPrefix | None = _field("callsign", "the first letters of the callsign")
    source: SourceName | None = _field("source", "the feed that took the report")
    limit: int = _field("limit", "at most so many flights", LIMIT, ge=1, le=LIMIT)

    @field_validator("max_altitude_ft")
    @classmethod
    def _is_above(cls, value: int | None, info: ValidationInfo) -> int | None:
        low = info.data.get("min_altitude_ft")
        if value is not None and low is not None and value < low:
            raise ValueError(f"{value} is below min_altitude_ft, {low}")
        return value

    @property
    def select(self) -> bool:
        """Whether any flight could be left out, the limit aside."""
        return bool(self.model_fields_set - {"limit", "bbox", "lat", "lon", "radius_nm"})

    def matches(self, position: Position) -> bool:
        """Whether a flight is wanted."""
        altitude_ft = position.altitude_ft
        if self.on_ground is not None and position.on_ground is not self.on_ground:
            return False
        if self.min_altitude_ft is not None and (altitude_ft is None or altitude_ft < self.min_altitude_ft):
            return False
        if self.max_altitude_ft is not None and (altitude_ft is None or altitude_ft > self.max_altitude_ft):
            return False
        if self.callsign is not None and not (position.callsign or "").startswith(self.callsign):
            return False
        return self.source is None or position.source == self.source


class LiveFlight(BaseModel):
    """The newest position of a flight. Null is unknown; a zero is a real zero."""

    model_config = ConfigDict(title="LiveFlight")

    flight_id: str = Field(examples=["3c6444-67a1b2c3"])
    icao24: str = Field(description="ICAO 24-bit address; a leading ~ where it is not one", examples=["3c6444"])
    time: datetime = Field(description="when the position was true, by the source's clock")
    received_at: datetime = Field(description="when the platform took the report")
    latitude: float = Field(description="degrees WGS 84")
    longitude: float = Field(description="degrees WGS 84")
    altitude_ft: int | None = Field(description="barometric")
    geometric_altitude_ft: int | None = Field(description="above the WGS 84 ellipsoid")
    on_ground: bool | None
    ground_speed_kt: float | None
    track_deg: float | None = Field(description="degrees clockwise from true north")
    vertical_rate_fpm: int | None = Field(description="feet a minute, climb positive")
    callsign: str | None
    squawk: str | None = Field(description="four octal digits")
    emergency: Annotated[str | None, WithJsonSchema({"enum": [*(e.label for e in Emergency), None]})]
    kind: Annotated[str | None, WithJsonSchema({"enum": [*(k.label for k in Kind), None]})]
    source: str | None = Field(description="name of the feed")


class NearbyFlight(LiveFlight):
    """A flight and how far it is from the point asked about."""

    model_config = ConfigDict(title="NearbyFlight")

    distance_nm: float = Field(description="over ground, nautical miles")


class LiveList(BaseModel):
    """Flights that are live now."""

    model_config = ConfigDict(title="LiveList")

    time: datetime = Field(description="when this was answered")
    watermark: datetime | None = Field(description="newest event time in the live store; null where it has seen none")
    age_s: float | None = Field(description="time minus watermark, seconds")
    partial: bool = Field(description="true where flights may be missing")
    missing: list[str] = Field(description="why: live servers away, or Kafka partitions that nobody looks after")
    truncated: bool = Field(description="true where there are more flights than limit")
    count: int = Field(description="flights in this answer")
    flights: list[LiveFlight] = Field(description="the newest position of each flight")


class NearbyList(LiveList):
    """Flights around a point, the nearest first."""

    model_config = ConfigDict(title="NearbyList")

    flights: list[NearbyFlight]  # type: ignore[assignment]  # what is true of a LiveFlight is true of these


def distance_nm(latitude: float, longitude: float, position: Position) -> float:
    """Great-circle distance from a point to a flight, nautical miles (sphere: within 0.5 % of the ellipsoid)."""
    a, b = math.radians(latitude), math.radians(position.latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(position.longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_NM * math.asin(min(1.0, math.sqrt(half)))


def list_body(answer: LiveAnswer, rows: Sequence[bytes | str], *, truncated: bool, now_ms: int) -> bytes:
    """The JSON of a list of flights: `rows` are its objects."""
    watermark_ms = answer.watermark_ms
    head = {
        "time": iso_time(now_ms),
        "watermark": None if watermark_ms is None else iso_time(watermark_ms),
        "age_s": None if watermark_ms is None else round((now_ms - watermark_ms) / 1000, 3),
        "partial": answer.partial,
        "missing": answer.missing,
        "truncated": truncated,
        "count": len(rows),
    }
    return f'{json.dumps(head)[:-1]}, "flights": [{",".join(map(str, rows))}]}}'.encode()


_EMERGENCY: Final[dict[Emergency | None, str]] = {None: "null", **{member: f'"{member.label}"' for member in Emergency}}
_KIND: Final[dict[Kind | None, str]] = {None: "null", **{member: f'"{member.label}"' for member in Kind}}
_BOOL: Final = {None: "null", True: "true", False: "false"}


def rows_of(positions: Iterable[Position]) -> list[str]:
    """Each position as the JSON text of `codec.to_record`."""
    quoted: dict[str | None, str] = {None: "null"}  # sources are few, and callsigns and squawks come again
    seconds: dict[int, str] = {}
    return [_row(position, quoted, seconds) for position in positions]


def _row(p: Position, quoted: dict[str | None, str], seconds: dict[int, str]) -> str:
    flight_id = "null" if p.flight_id is None else f'"{format_flight_id(p.flight_id)}"'
    return (
        f'{{"flight_id":{flight_id},"icao24":"{p.icao24}","time":"{_iso(p.time, seconds)}",'
        f'"received_at":"{_iso(p.received_at, seconds)}","latitude":{round(p.latitude, 7)!r},'
        f'"longitude":{round(p.longitude, 7)!r},"altitude_ft":{_number(p.altitude_ft)},'
        f'"geometric_altitude_ft":{_number(p.geometric_altitude_ft)},"on_ground":{_BOOL[p.on_ground]},'
        f'"ground_speed_kt":{_number(p.ground_speed_kt)},"track_deg":{_number(p.track_deg)},'
        f'"vertical_rate_fpm":{_number(p.vertical_rate_fpm)},"callsign":{_text(p.callsign, quoted)},'
        f'"squawk":{_text(p.squawk, quoted)},"emergency":{_EMERGENCY[p.emergency]},"kind":{_KIND[p.kind]},'
        f'"source":{_text(p.source, quoted)}}}'
    )


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _text(value: str | None, quoted: dict[str | None, str]) -> str:
    text = quoted.get(value)
    if text is None:
        text = quoted[value] = json.dumps(value)
    return text


def _iso(time_ms: int, seconds: dict[int, str]) -> str:
    """`iso_time`, with the text of each second made once: a snapshot spans a minute."""
    second, millisecond = divmod(time_ms, 1000)
    text = seconds.get(second)
    if text is None:
        text = seconds[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    return f"{text}{millisecond:03d}Z"
