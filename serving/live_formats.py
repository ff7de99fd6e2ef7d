"""Live flights as bytes: one flight, a list, an update, in JSON, GeoJSON and protobuf, whole or only some fields.

    position ──► row (a JSON object, a GeoJSON feature, a protobuf frame) ──► body of a list, event of a stream

A row is made once a snapshot and goes into every answer that holds its flight, so rows are bytes that are only joined.
Pure: no store and no HTTP. The JSON is written by hand from a template, since a whole world of 6,500 flights through
`to_record` and `json` costs twice as much; `codec.to_record` says what it must be, and a test holds it to that.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final

from flight_platform.codec import encode
from flight_platform.live.client import LiveAnswer
from flight_platform.model import Emergency, Kind, Position, format_flight_id
from protos.flight.v1 import api_pb2, position_pb2


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    GEOJSON = "geojson"
    PROTOBUF = "protobuf"

    @property
    def media_type(self) -> str:
        """Its name in `Content-Type` and `Accept`."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.GEOJSON: "application/geo+json",
    Format.PROTOBUF: "application/x-protobuf",
}
_ACCEPTED: Final = {media: form for form, media in _MEDIA_TYPES.items()} | {"application/protobuf": Format.PROTOBUF}


@lru_cache(256)  # clients are of few kinds
def accepted(accept: str | None) -> Format:
    """The format that an `Accept` header likes best; JSON for one that names none of ours, as a browser's."""
    liked = (_liked(part) for part in (accept or "").split(","))
    ours = [(quality, form) for quality, form in liked if form is not None and quality > 0]
    return max(ours, key=lambda pair: pair[0], default=(0.0, Format.JSON))[1]


def _liked(part: str) -> tuple[float, Format | None]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    return float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0, _ACCEPTED.get(media)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a list says of itself. `time_ms` is None where it is not to be told: in a tile."""

    time_ms: int | None
    watermark_ms: int | None
    partial: bool
    missing: tuple[str, ...]
    truncated: bool = False
    next: str | None = None

    @classmethod
    def of(cls, answer: LiveAnswer, time_ms: int, *, truncated: bool = False, following: str | None = None) -> "Head":
        """The head of an answer of the store that was had at that time."""
        return cls(
            time_ms=time_ms,
            watermark_ms=answer.watermark_ms,
            partial=answer.partial,
            missing=answer.missing,
            truncated=truncated,
            next=following,
        )

    @property
    def age_s(self) -> float | None:
        """How old the newest that the store knows is; None where it knows nothing."""
        if self.time_ms is None or self.watermark_ms is None:
            return None
        return round((self.time_ms - self.watermark_ms) / 1000, 3)

    def freshness(self) -> dict[str, Any]:
        """Time, age and completeness, as JSON tells them."""
        told: dict[str, Any] = {}
        if self.time_ms is not None:
            watermark = None if self.watermark_ms is None else _iso(self.watermark_ms)
            told |= {"time": _iso(self.time_ms), "watermark": watermark, "age_s": self.age_s}
        return told | {"partial": self.partial, "missing": self.missing}


# Rows: one flight each

_SHARED: Final = 4_096  # rows that many may ask for before there are newer reports

Row = bytes
MakeRows = Callable[[Iterable[Position]], list[Row]]


@cache
def row_maker(form: Format, fields: tuple[str, ...] | None = None) -> MakeRows:
    """What makes rows of that format with these fields, in this order; all fields where None."""
    names = fields or NAMES
    if form is Format.PROTOBUF:
        return lambda positions: [_framed(_message(position, fields)) for position in positions]
    if form is Format.JSON:
        return _filler(_template(names), names)
    shown = tuple(name for name in names if name not in ("latitude", "longitude"))
    feature = (
        '{"type":"Feature","id":%s,"geometry":{"type":"Point","coordinates":[%s,%s]},"properties":'
        + _template(shown)
        + "}"
    )
    return _filler(feature, ("flight_id", "longitude", "latitude", *shown))


@lru_cache(_SHARED)
def shared_row(form: Format, fields: tuple[str, ...] | None, position: Position) -> Row:
    """The row of one flight, made once for all who ask for it alone or with its neighbours."""
    return row_maker(form, fields)((position,))[0]


def one_body(form: Format, position: Position, fields: tuple[str, ...] | None = None) -> bytes:
    """One flight as the whole answer."""
    return _message(position, fields) if form is Format.PROTOBUF else shared_row(form, fields, position)


def list_body(form: Format, head: Head, rows: Sequence[Row], distances_nm: Sequence[float] | None = None) -> bytes:
    """The body of a list: its head, its rows, and how far away each is where that was asked for."""
    if form is Format.PROTOBUF:
        return _wire_list(head, rows, distances_nm)
    end = b"}}" if form is Format.GEOJSON else b"}"
    if distances_nm is not None:
        placed = zip(rows, distances_nm, strict=True)
        rows = [b'%b,"distance_nm":%.2f%b' % (row[: -len(end)], away, end) for row, away in placed]
    told = head.freshness() | {"truncated": head.truncated, "next": head.next, "count": len(rows)}
    kind, name = ({"type": "FeatureCollection"}, b"features") if form is Format.GEOJSON else ({}, b"flights")
    return b'%b, "%b": [%b]}' % (json.dumps(kind | told)[:-1].encode(), name, b",".join(rows))


# JSON


def _template(names: Sequence[str]) -> str:
    return "{" + ",".join(f'"{name}":%s' for name in names) + "}"


def _filler(template: str, names: Sequence[str]) -> MakeRows:
    values = [_VALUES[name] for name in names]
    return lambda positions: [(template % tuple([value(p) for value in values])).encode() for p in positions]


@lru_cache(8192)  # sources are few, and callsigns and squawks come again
def _text(value: str | None) -> str:
    return json.dumps(value)


@lru_cache(256)  # a snapshot spans a minute
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def _iso(time_ms: int) -> str:
    """`iso_time`, for times that are near each other."""
    second, millisecond = divmod(time_ms, 1000)
    return f"{_second(second)}{millisecond:03d}Z"


@lru_cache(16_384)  # each second brings the same flights
def _flight_id(flight_id: int) -> str:
    return f'"{format_flight_id(flight_id)}"'


_EMERGENCIES: Final[dict[Emergency | None, str]] = {
    None: "null",
    **{member: f'"{member.label}"' for member in Emergency},
}
_KINDS: Final[dict[Kind | None, str]] = {None: "null"} | {k: f'"{k.label}"' for k in Kind}
_BOOL: Final = {None: "null", True: "true", False: "false"}
_VALUES: Final[dict[str, Callable[[Position], str]]] = {
    "flight_id": lambda p: "null" if p.flight_id is None else _flight_id(p.flight_id),
    "icao24": lambda p: f'"{p.icao24}"',
    "time": lambda p: f'"{_iso(p.time)}"',
    "received_at": lambda p: f'"{_iso(p.received_at)}"',
    "latitude": lambda p: repr(round(p.latitude, 7)),
    "longitude": lambda p: repr(round(p.longitude, 7)),
    "altitude_ft": lambda p: "null" if p.altitude_ft is None else repr(p.altitude_ft),
    "geometric_altitude_ft": lambda p: "null" if p.geometric_altitude_ft is None else repr(p.geometric_altitude_ft),
    "on_ground": lambda p: _BOOL[p.on_ground],
    "ground_speed_kt": lambda p: "null" if p.ground_speed_kt is None else repr(p.ground_speed_kt),
    "track_deg": lambda p: "null" if p.track_deg is None else repr(p.track_deg),
    "vertical_rate_fpm": lambda p: "null" if p.vertical_rate_fpm is None else repr(p.vertical_rate_fpm),
    "callsign": lambda p: _text(p.callsign),
    "squawk": lambda p: _text(p.squawk),
    "emergency": lambda p: _EMERGENCIES[p.emergency],
    "kind": lambda p: _KINDS[p.kind],
    "source": lambda p: _text(p.source),
}
NAMES: Final = tuple(_VALUES)
"""The fields of a position, in the order of every answer."""


# Protobuf. A message may be put together from pieces: what is concatenated is merged, and a repeated field adds up.


def _message(position: Position, fields: tuple[str, ...] | None) -> bytes:
    if fields is None:
        return encode(position)
    chosen = {name: getattr(position, name) for name in fields}
    return position_pb2.Position(**chosen).SerializeToString()


def _framed(message: bytes) -> Row:
    """A message with its length in front: what follows the tag of the field that it becomes."""
    length, size = b"", len(message)
    while size > 0x7F:
        length += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return length + bytes((size,)) + message


def wire_field(number: int, rows: Sequence[Row]) -> bytes:
    """The bytes of a repeated message field with these framed rows."""
    tag = bytes((number << 3 | 2,))
    return tag + tag.join(rows) if rows else b""


def _wire_list(head: Head, rows: Sequence[Row], distances_nm: Sequence[float] | None) -> bytes:
    about = api_pb2.LiveList(
        time=head.time_ms,
        watermark=None if head.time_ms is None else head.watermark_ms,
        partial=head.partial,
        missing=head.missing,
        truncated=head.truncated,
        next=head.next,
        distance_nm=distances_nm,
    )
    return wire_field(api_pb2.LiveList.FLIGHTS_FIELD_NUMBER, rows) + about.SerializeToString()
