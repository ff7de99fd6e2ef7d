"""History's answers: the shapes in the documentation, rows as JSON, cursors, and tracks in each format.

Pure: no store and no HTTP.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from flight_platform.codec import iso_time, unix_ms
from flight_platform.history.table import Row, columns
from flight_platform.model import parse_flight_id
from serving import exports
from serving.exports import Writer
from serving.live_answers import LiveFlight
from serving.parameters import parse_moment
from serving.rows import dumps, objects


class HistoryFlight(BaseModel):
    """A flight in a list. Its figures are those of the whole flight, not of the window. Null is unknown."""

    model_config = ConfigDict(title="HistoryFlight")

    flight_id: str = Field(examples=["3c6444-67a1b2c3"])
    icao24: str = Field(examples=["3c6444"])
    callsign: str | None = Field(description="the last that it told")
    registration: str | None = Field(examples=["D-AIBD"])
    type_code: str | None = Field(description="ICAO type designator", examples=["A319"])
    first_time: datetime
    last_time: datetime
    departure_airport: str | None = Field(description="ICAO, inferred", examples=["EDDF"])
    takeoff_time: datetime | None = Field(description="inferred")
    arrival_airport: str | None = Field(description="ICAO, inferred; null in the air", examples=["LSZH"])
    landing_time: datetime | None = Field(description="inferred")
    positions: int = Field(description="how many there are")
    max_altitude_ft: int | None = Field(description="barometric")


class FlightFigures(BaseModel):
    """One flight with its figures. Null is unknown."""

    model_config = ConfigDict(title="FlightFigures")

    flight_id: str = Field(examples=["3c6444-67a1b2c3"])
    icao24: str = Field(examples=["3c6444"])
    callsign: str | None = Field(description="the last that it told")
    registration: str | None = Field(examples=["D-AIBD"])
    type_code: str | None = Field(description="ICAO type designator", examples=["A319"])
    operator: str | None
    first_time: datetime
    last_time: datetime
    first_latitude: float
    first_longitude: float
    last_latitude: float
    last_longitude: float
    departure_airport: str | None = Field(description="ICAO, inferred", examples=["EDDF"])
    departure_confidence: float | None = Field(description="probability that it is the right one")
    takeoff_time: datetime | None = Field(description="inferred")
    takeoff_confidence: float | None = Field(description="probability that it is within two minutes of the truth")
    arrival_airport: str | None = Field(description="ICAO, inferred; null in the air", examples=["LSZH"])
    arrival_confidence: float | None = Field(description="probability that it is the right one")
    landing_time: datetime | None = Field(description="inferred")
    landing_confidence: float | None = Field(description="probability that it is within two minutes of the truth")
    positions: int = Field(description="how many there are")
    average_ground_speed_kt: float | None = Field(description="of the reported speeds, weighted by time")
    maximum_altitude_ft: int | None = Field(description="barometric")
    distance_nm: float = Field(description="sum of the great-circle legs between positions")
    duration_s: float = Field(description="from the first position to the last")


class AltitudeBand(BaseModel):
    """How long and how often a flight was between two barometric altitudes, both included."""

    model_config = ConfigDict(title="AltitudeBand")

    flight_id: str = Field(examples=["3c6444-67a1b2c3"])
    icao24: str = Field(examples=["3c6444"])
    low_ft: int
    high_ft: int
    seconds: float = Field(description="time in the band")
    entries: int = Field(description="stays in the band")
    share: float | None = Field(description="seconds of known_seconds; null where those are none")
    known_seconds: float = Field(description="time for which the altitude is known")
    unknown_seconds: float | None = Field(description="time for which it is not")


class FlightList(BaseModel):
    """A page of flights, the newest first."""

    model_config = ConfigDict(title="FlightList", populate_by_name=True)

    from_time: datetime = Field(alias="from", description="start of the window that was searched")
    to_time: datetime = Field(alias="to", description="its end")
    count: int = Field(description="flights on this page")
    next: str | None = Field(description="cursor of the next page; null on the last")
    flights: list[HistoryFlight]


class Instant(BaseModel):
    """The sky at an instant: of each flight the newest position of the minute before."""

    model_config = ConfigDict(title="Instant")

    time: datetime
    truncated: bool = Field(description="true where there are more flights than limit")
    count: int
    positions: list[LiveFlight] = Field(description="in the order of flight ids")


class Gap(BaseModel):
    """A stretch for which data are missing for good: an empty sky there is not an empty sky."""

    hop: str = Field(description="who lost them: source, feed, track, live or history")
    source: str = Field(description="name of the source, where it is about one")
    from_time: datetime
    to_time: datetime | None = Field(description="null while it goes on")
    reason: str
    filled_at: datetime | None = Field(description="when a backfill brought the data after all")


class GapList(BaseModel):
    """The gaps that touch a window."""

    model_config = ConfigDict(title="GapList", populate_by_name=True)

    from_time: datetime = Field(alias="from")
    to_time: datetime = Field(alias="to")
    count: int
    gaps: list[Gap]


class Track(BaseModel):
    """A flight's positions in order of time; `count` comes last."""

    model_config = ConfigDict(title="Track")

    flight_id: str
    icao24: str
    count: int
    positions: list[LiveFlight]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended, and the window that it belongs to: the default window moves on while one pages."""

    from_time: datetime
    to_time: datetime
    after: str

    def text(self) -> str:
        """Opaque text for an address."""
        parts = [unix_ms(self.from_time), unix_ms(self.to_time), self.after]
        return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The inverse of `text`; raises ValueError."""
        try:
            padded = text + "=" * (-len(text) % 4)
            from_ms, to_ms, after = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            parse_flight_id(after)
            return cls(parse_moment(from_ms / 1000), parse_moment(to_ms / 1000), after)
        except (ValueError, TypeError, OverflowError, OSError, RecursionError):
            raise ValueError("this is no cursor: take `next` of the page before as it is") from None


class JsonWriter:
    """One object: what is known of it beforehand, its rows in a list of that name, and their count.

    With a limit it is given one row more, if there is one, and tells so instead of showing it.
    """

    def __init__(self, name: str, limit: int | None = None, **known: Any) -> None:
        self._before = b'%b,"%b":[' % (dumps(known)[:-1], name.encode())
        self._limit, self._seen = limit, 0

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """The rows, behind a comma where others went before."""
        shown = rows if self._limit is None else rows[: max(0, self._limit - self._seen)]
        if shown or self._before:
            yield self._before + ",".join(objects(shown)).encode()
            self._before = b"," if shown else b""
        self._seen += len(rows)

    def end(self) -> Iterable[bytes]:
        """The count."""
        if self._limit is None:
            yield b'],"count":%d}' % self._seen
        else:
            truncated = b"true" if self._seen > self._limit else b"false"
            yield b'],"count":%d,"truncated":%b}' % (min(self._seen, self._limit), truncated)


class NdjsonWriter:
    """A JSON object a line."""

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """The lines of the rows."""
        yield "".join(f"{text}\n" for text in objects(rows)).encode()

    def end(self) -> Iterable[bytes]:
        """Nothing."""
        return ()


class GeojsonWriter:
    """One GeoJSON feature (RFC 7946), cut where it crosses the antimeridian.

    `properties.times` and `properties.altitude_ft` run beside the coordinates: one list a line where it was cut. These
    come last and are as long, so the points are held until the end, though not the rows.
    """

    def __init__(self, flight_id: str) -> None:
        self._flight_id = flight_id
        self._points: list[_Point] = []
        self._callsign: str | None = None

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """Nothing yet."""
        told = columns(rows)
        if told:
            places = (told["longitude"], told["latitude"], map(unix_ms, told["time"]), told["altitude_ft"])
            self._points += map(_Point._make, zip(*places, strict=True))
            self._callsign = next(filter(None, reversed(told["callsign"])), self._callsign)
        return ()

    def end(self) -> Iterable[bytes]:
        """The feature."""
        lines = _cut(self._points)
        whole = len(lines) == 1

        def shaped(value: Callable[[_Point], Any]) -> Any:
            parts = [[value(point) for point in line] for line in lines]
            return parts[0] if whole else parts

        coordinates = shaped(lambda point: [point.longitude, point.latitude])
        kind = "LineString" if whole else "MultiLineString"
        if len(self._points) == 1:  # a line needs two
            kind, coordinates = "Point", coordinates[0]
        properties = {
            "flight_id": self._flight_id,
            "icao24": self._flight_id.partition("-")[0],
            "callsign": self._callsign,
            "times": shaped(lambda point: iso_time(point.time_ms)),
            "altitude_ft": shaped(lambda point: point.altitude_ft),
        }
        geometry = {"type": kind, "coordinates": coordinates}
        yield dumps({"type": "Feature", "id": self._flight_id, "geometry": geometry, "properties": properties})


class _Point(NamedTuple):
    longitude: float
    latitude: float
    time_ms: int
    altitude_ft: int | None


def _cut(points: Sequence[_Point]) -> list[list[_Point]]:
    """The track as lines none of which crosses the antimeridian; each cut adds the point where it was crossed."""
    lines = [[points[0]]]
    for before, after in itertools.pairwise(points):
        if abs(after.longitude - before.longitude) > 180:
            edge = 180.0 if before.longitude > 0 else -180.0
            unwrapped = after.longitude + 2 * edge
            span = unwrapped - before.longitude
            share = (edge - before.longitude) / span if span else 0.0
            latitude = round(before.latitude + share * (after.latitude - before.latitude), 7)
            time_ms = before.time_ms + round(share * (after.time_ms - before.time_ms))
            lines[-1].append(_Point(edge, latitude, time_ms, before.altitude_ft))
            lines.append([_Point(-edge, latitude, time_ms, before.altitude_ft)])
        lines[-1].append(after)
    return lines


class Format(NamedTuple):
    """One way to write many rows; `writer` makes the one for an answer."""

    media_type: str
    writer: Callable[[str], Writer]


NDJSON: Final = Format("application/x-ndjson", lambda _: NdjsonWriter())
TRACKS: Final[dict[str, Format]] = {  # of a flight id
    "json": Format(
        "application/json",
        lambda flight_id: JsonWriter("positions", flight_id=flight_id, icao24=flight_id.partition("-")[0]),
    ),
    "ndjson": NDJSON,
    "geojson": Format("application/geo+json", GeojsonWriter),
    "gpx": Format("application/gpx+xml", exports.GpxWriter),
    "kml": Format("application/vnd.google-earth.kml+xml", exports.KmlWriter),
    "csv": Format("text/csv", lambda _: exports.CsvWriter(exports.COLUMNS)),
    "parquet": Format("application/vnd.apache.parquet", lambda _: exports.ParquetWriter()),
}
LISTS: Final[dict[str, Format]] = {  # of flights, beside JSON by the page
    "ndjson": NDJSON,
    "csv": Format("text/csv", lambda _: exports.CsvWriter(HistoryFlight.model_fields)),
}
