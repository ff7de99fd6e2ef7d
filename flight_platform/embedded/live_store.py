"""What the live server holds: objects with fields, where they lie, and how Tile38 writes them.

    Collection (id ─► Item) ─► in_box | in_circle | nearest ─► Item.reply

There is no index: a look at each of ten thousand points takes a millisecond, which is enough for a stand-in.
What does not belong here: the grammar of commands (`live_query.py`) and what a command does (`live_server.py`).
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import cast

import hiredis

EARTH_RADIUS_M = 6_371_000.0  # Tile38's sphere
NUMBERS = {b"inf": b"+Inf", b"+inf": b"+Inf", b"-inf": b"-Inf", b"nan": b"NaN"}  # those not read back as written

Comparable = tuple[int, float, str]  # a field's value: numbers come before texts
Box = tuple[float, float, float, float]  # south, west, north, east in degrees, edges included


def bulk(text: bytes) -> bytes:
    """A RESP bulk string."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def array(texts: Iterable[bytes | str]) -> bytes:
    """A RESP array of bulk strings."""
    return cast(bytes, hiredis.pack_command(tuple(texts)))


def number_text(value: float) -> str:
    """A number as Tile38 writes it: the shortest digits that give it back, never an exponent, no `.0`."""
    text = repr(value).removesuffix(".0")
    return format(Decimal(text), "f") if "e" in text else text


@lru_cache(maxsize=1 << 14)  # texts repeat: kinds and sources in all objects, a callsign in each report of a flight
def plain(value: bytes) -> bytes:
    """A field's text as it is read back: the quotes of a JSON string are gone."""
    if value[:1] != b'"':
        return NUMBERS.get(value.lower(), value)
    try:
        return str(json.loads(value)).encode()
    except ValueError:
        return value


def comparable(value: bytes) -> Comparable:
    """What a field's value is compared by: Tile38 guesses numbers; `0123` or a quoted one is a text."""
    value = value.strip()
    digits = value.lstrip(b"+-")
    padded = digits[:1] == b"0" and digits[1:2].isdigit()
    if not padded and b"_" not in value:
        try:
            return 0, float(value), ""
        except ValueError:
            pass
    return 1, 0.0, plain(value).decode(errors="replace").lower()


@dataclass(slots=True)
class Item:
    """One object: a point, or a text that lies nowhere."""

    id: bytes
    latitude: float
    longitude: float
    z: float | None
    text: bytes | None
    names: list[bytes]  # of the fields, each once
    values: list[bytes]  # as they were sent
    deadline_s: float

    def value(self, name: bytes) -> Comparable:
        """The field to compare by; a missing one is 0."""
        return comparable(self.values[self.names.index(name)] if name in self.names else b"0")

    def body(self, output: bytes) -> bytes:
        """The object itself: latitude, longitude and height for a POINT, else GeoJSON; a text is itself."""
        if output.startswith(b"POINT"):
            height = [self.z] if self.z else []
            return array(map(number_text, (self.latitude, self.longitude, *height)))
        if self.text is not None:
            return bulk(self.text)
        height = [] if self.z is None else [self.z]
        place = ",".join(map(number_text, (self.longitude, self.latitude, *height)))
        return bulk(b'{"type":"Point","coordinates":[%b]}' % place.encode())

    def shown_fields(self) -> bytes:
        """The fields sorted by name, those at 0 left out (Tile38 deletes them); empty without any."""
        words: list[bytes] = []
        for name, value in sorted(zip(self.names, map(bytes.strip, self.values), strict=True)):
            if value != b"0":
                words += name, value if value[-1:].isdigit() else plain(value)
        return array(words) if words else b""

    def reply(self, output: bytes, with_fields: bool, metres: float | None) -> bytes:
        """The item in a search's answer; the distance is its last part where one is given."""
        parts = [bulk(self.id)]
        if output != b"IDS":
            parts.append(self.body(output))
            fields = self.shown_fields() if with_fields else b""
            parts += [fields] if fields else []
        if metres is not None:
            parts.append(bulk(number_text(metres).encode()))
        return parts[0] if len(parts) == 1 else b"*%d\r\n%b" % (len(parts), b"".join(parts))


Collection = dict[bytes, Item]


def in_box(collection: Collection, box: Box) -> list[Item]:
    """The points of a box; one whose west is greater than its east holds nothing."""
    south, west, north, east = box
    return [
        item
        for item in collection.values()
        if south <= item.latitude <= north and west <= item.longitude <= east and item.text is None
    ]


def in_circle(collection: Collection, latitude: float, longitude: float, radius_m: float) -> list[Item]:
    """The points so near, as Tile38 finds them: not beyond 180 degrees."""
    candidates = in_box(collection, circle_box(latitude, longitude, radius_m))
    return [item for item in candidates if distance_m(latitude, longitude, item) <= radius_m]


def nearest(collection: Collection, latitude: float, longitude: float, radius_m: float) -> list[Item]:
    """The points so near, wherever on earth, the nearest first."""
    reach = math.degrees(radius_m / EARTH_RADIUS_M) + 1e-6  # degrees of latitude, and some for rounding
    points = [item for item in collection.values() if abs(item.latitude - latitude) <= reach and item.text is None]
    measured = sorted((distance_m(latitude, longitude, item), item.id, item) for item in points)
    return [item for metres, _, item in measured if metres <= radius_m]


def distance_m(latitude: float, longitude: float, item: Item) -> float:
    """Metres to a point on a great circle (the haversine formula)."""
    sine_latitude = math.sin((item.latitude - latitude) * math.pi / 180 / 2)
    sine_longitude = math.sin((item.longitude - longitude) * math.pi / 180 / 2)
    across = math.cos(latitude * math.pi / 180) * math.cos(item.latitude * math.pi / 180)
    measure = sine_latitude * sine_latitude + across * sine_longitude * sine_longitude
    return EARTH_RADIUS_M * 2 * math.asin(math.sqrt(min(1.0, measure)))


def circle_box(latitude: float, longitude: float, radius_m: float) -> Box:
    """The box in which Tile38 looks for a circle's points: as far as one comes due north, east, south and west."""
    angle, phi, start = radius_m / EARTH_RADIUS_M, math.radians(latitude), math.radians(longitude)
    half_height = abs(math.asin(math.sin(phi + angle)) - math.asin(math.sin(phi - angle))) / 2
    turn = math.atan2(math.sin(angle) * math.cos(phi), math.cos(angle) * math.cos(phi) ** 2)
    # Both ends wrap at 180 degrees, which is why such a circle does not reach across.
    east, west = ((start + way + 3 * math.pi) % (2 * math.pi) for way in (turn, -turn))
    height, width = math.degrees(half_height), math.degrees(abs(east - west) / 2)
    return latitude - height, longitude - width, latitude + height, longitude + width


def tile_box(x: int, y: int, zoom: int) -> Box:
    """The box of a Web Mercator tile; like Tile38, a tile beyond the map's edge shrinks to that edge."""
    size = 1 << zoom
    west, east = (360 * (min(column, size) / size - 0.5) for column in (x, x + 1))
    heights = (2 * math.pi * (0.5 - min(row, size) / size) for row in (y + 1, y))
    south, north = (90 - 360 * math.atan(math.exp(-height)) / math.pi for height in heights)
    return south, west, north, east
