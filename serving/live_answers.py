"""What live answers are made of: which fields, which page, and the shapes in the documentation.

Pure: no store and no HTTP. Which flights are wanted is in `selection.py`, how answers are written in `live_formats.py`.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from flight_platform.model import Emergency, Kind, Position, format_flight_id, parse_flight_id
from serving.live_formats import NAMES, Format
from serving.parameters import Query
from serving.selection import Selection, field

LIMIT: Final = 10_000  # flights in one answer, about 4 MB: all that were ever in the air at once are more
EARTH_RADIUS_NM: Final = 3440.065  # mean radius, 6371.009 km


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields of a flight are wanted, in the order of the documentation; `flight_id` always is."""

    names: tuple[str, ...]

    @classmethod
    def parse(cls, value: Any) -> "Fields":
        """The fields in `latitude,longitude,...`; raises ValueError that names those there are."""
        asked = {part.strip() for part in str(value).split(",")}
        unknown = sorted(asked.difference(NAMES))
        if unknown:
            raise ValueError(f"{unknown[0][:40]!r} is no field; there are {', '.join(NAMES)}")
        return cls(tuple(name for name in NAMES if name in asked or name == "flight_id"))


_LIST: Final = {"type": "string", "pattern": f"^({'|'.join(NAMES)})(,({'|'.join(NAMES)}))*$"}
FieldsText = Annotated[Fields, BeforeValidator(Fields.parse), WithJsonSchema(_LIST)]


class Shown(Query):
    """How an answer is written."""

    fields: FieldsText | None = field("fields", "only these fields, and flight_id")
    format: Format | None = field("format", "goes before `Accept`; json without both")

    @property
    def names(self) -> tuple[str, ...] | None:
        """The fields that are wanted, None for all."""
        return None if self.fields is None else self.fields.names


class Filters(Shown, Selection):
    """Which flights of those found are wanted, how many at most, and how they are written."""

    limit: int = field("limit", "at most so many flights", LIMIT, ge=1, le=LIMIT)


# Pages. A list has a stable order, and a page begins behind the last flight of the page before, wherever that is now:
# flights that come and go between two pages neither repeat nor hide one that stays.


def page(positions: list[Position], limit: int, after: int | None) -> tuple[list[Position], str | None]:
    """A page of positions in the order of flight ids, and the cursor of the next."""
    rest = positions if after is None else [p for p in positions if (p.flight_id or 0) > after]
    kept = rest[:limit]
    return kept, format_flight_id(kept[-1].flight_id or 0) if len(rest) > limit else None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a flight stands in a list of the nearest."""

    distance_nm: float
    flight_id: int

    @classmethod
    def of(cls, latitude: float, longitude: float, position: Position) -> "Place":
        """A flight's place around a point."""
        return cls(round(distance_nm(latitude, longitude, position), 3), position.flight_id or 0)

    @classmethod
    def parse(cls, value: Any) -> "Place":
        """The place in a cursor; raises ValueError where it is none of ours."""
        distance, _, flight_id = str(value)[:80].partition("_")
        try:
            place = cls(float(distance), parse_flight_id(flight_id))
        except ValueError:
            place = cls(math.nan, 0)
        if not math.isfinite(place.distance_nm):
            raise ValueError("this is no cursor of ours: give `next` of the page before")
        return place

    def __str__(self) -> str:
        return f"{self.distance_nm!r}_{format_flight_id(self.flight_id)}"


def _flight_cursor(text: str) -> str:
    try:
        parse_flight_id(text)
    except ValueError:
        raise ValueError("this is no cursor of ours: give `next` of the page before") from None
    return text


FlightCursor = Annotated[str, AfterValidator(_flight_cursor)]
PlaceCursor = Annotated[Place, BeforeValidator(Place.parse), WithJsonSchema({"type": "string"})]


# Shapes


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


def _only(*required: str) -> dict[str, Any]:
    """A shape of which `fields` may leave out all but these."""

    def relax(schema: dict[str, Any]) -> None:
        schema["required"] = list(required)

    return {"json_schema_extra": relax}


class ShownFlight(LiveFlight):
    """The newest position of a flight, with the fields that were asked for. Null is unknown; a zero is a real zero."""

    model_config = ConfigDict(title="ShownFlight", **_only("flight_id"))  # type: ignore[typeddict-item]


class NearbyFlight(LiveFlight):
    """A flight and how far it is from the point asked about."""

    model_config = ConfigDict(title="NearbyFlight", **_only("flight_id", "distance_nm"))  # type: ignore[typeddict-item]

    distance_nm: float = Field(description="over ground, nautical miles")


class Completeness(BaseModel):
    """Whether an answer holds all that it should."""

    partial: bool = Field(description="true where flights may be missing")
    missing: list[str] = Field(description="why: live servers away, or Kafka partitions that nobody looks after")
    truncated: bool = Field(description="true where there are more flights than these")
    next: str | None = Field(description="`cursor` of the next page; null where there is none")
    count: int = Field(description="flights in this answer")


class Freshness(BaseModel):
    """How old an answer is."""

    time: datetime = Field(description="when the live store was read")
    watermark: datetime | None = Field(description="newest event time in the live store; null where it has seen none")
    age_s: float | None = Field(description="time minus watermark, seconds")


class LiveTile(Completeness):
    """The flights of a tile. Its age is in the headers, so that it changes only with its flights."""

    model_config = ConfigDict(title="LiveTile")

    flights: list[ShownFlight] = Field(description="the newest position of each flight, by flight id")


class LiveList(LiveTile, Freshness):
    """Flights that are live now."""

    model_config = ConfigDict(title="LiveList")


class NearbyList(Completeness, Freshness):
    """Flights around a point."""

    model_config = ConfigDict(title="NearbyList")

    flights: list[NearbyFlight] = Field(description="the newest position of each flight, the nearest first")


class Point(BaseModel):
    """A place, as GeoJSON has it."""

    type: Literal["Point"]
    coordinates: tuple[float, float] = Field(description="longitude, latitude")


class LiveFeature(BaseModel):
    """A flight in GeoJSON; its properties are those of the JSON form, save latitude and longitude."""

    model_config = ConfigDict(title="LiveFeature")

    type: Literal["Feature"]
    id: str = Field(description="the flight id")
    geometry: Point
    properties: dict[str, Any]


class LiveFeatures(Completeness, Freshness):
    """A list in GeoJSON."""

    model_config = ConfigDict(title="LiveFeatures")

    type: Literal["FeatureCollection"]
    features: list[LiveFeature]


def distance_nm(latitude: float, longitude: float, position: Position) -> float:
    """Great-circle distance from a point to a flight, nautical miles (sphere: within 0.5 % of the ellipsoid)."""
    a, b = math.radians(latitude), math.radians(position.latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(position.longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_NM * math.asin(min(1.0, math.sqrt(half)))
