"""What the live server holds: collections of objects with fields, an index by degree, times to live.

    SET ──► Collection.put ──► items by id ──► cells of one degree ──► box, circle, nearest ──► Item.rendered
                    └──► Expiry: a heap in which an object stands once, however often it is renewed

Time is an argument (seconds of a clock that never goes back). What does not belong here: the grammar and the
sockets (`live_server.py`), degrees and metres (`geometry.py`).
"""

import heapq
import json
from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from math import floor, inf

import hiredis

from flight_platform.embedded.geometry import (
    Box,
    distance_m,
    haversine,
    haversine_of,
    latitude_band,
    number_text,
)

RESERVED_NAMES = frozenset((b"z", b"lat", b"lon"))
CELL_ROW = 1024  # more than the 360 columns of a row; a clash would only offer a candidate that the exact test drops
NO_CELL = -(1 << 62)
MAX_SHAPES = 4096  # sets of field names remembered; a client with endless names starts them afresh
ZERO = b"0"  # a field set to exactly this is unset, as in Tile38

# Tile38's order of a field's kinds; a number is less than any string.
Comparable = tuple[int, float, str]
_NULL, _FALSE, _NUMBER, _STRING, _TRUE, _JSON = range(6)
_WORDS = {b"null": (_NULL, 0.0, ""), b"false": (_FALSE, 0.0, ""), b"true": (_TRUE, 0.0, "")}


def bulk(text: bytes) -> bytes:
    """A RESP bulk string."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


@lru_cache(maxsize=1 << 14)
def plain(value: bytes) -> bytes:
    """A field's value as it is read back: a JSON string loses its quotes, the rest stays as written."""
    if value[:1] == b'"':
        try:
            return str(json.loads(value)).encode()
        except ValueError:
            return value
    if value[:1].isalpha() or value[1:2].isalpha():
        return {b"inf": b"+Inf", b"+inf": b"+Inf", b"-inf": b"-Inf", b"nan": b"NaN"}.get(value.lower(), value)
    return value


@lru_cache(maxsize=1 << 16)
def comparable(value: bytes) -> Comparable:
    """What a field's value is compared by: Tile38 guesses numbers; `0123` or a quoted one is a string."""
    if value in _WORDS:
        return _WORDS[value]
    if value[:1] in (b"{", b"["):
        return _JSON, 0.0, value.decode(errors="replace")
    digits = value.lstrip(b"+-")
    padded = digits[:1] == b"0" and digits[1:2].isdigit()
    if not padded and b"_" not in value:
        try:
            return _NUMBER, float(value), ""
        except ValueError:
            pass
    return _STRING, 0.0, plain(value).decode(errors="replace").lower()


class Shape:
    """The names of an object's fields in the order in which they came, shared by many objects."""

    __slots__ = ("index", "names", "order", "words")

    def __init__(self, names: Iterable[bytes]) -> None:
        self.names = list(names)
        self.words = [b"FIELD"] * len(self.names)
        self.index = {name: position for position, name in enumerate(self.names)}
        self.order = sorted(self.index.items())


class Item:
    """One object: a point or a string, its fields, its end, and its replies until it changes."""

    __slots__ = (
        "cell",
        "deadline",
        "id",
        "latitude",
        "longitude",
        "queued",
        "rendered",
        "shape",
        "text",
        "values",
        "z",
    )

    def __init__(self, item_id: bytes, shape: Shape) -> None:
        self.id = item_id
        self.shape = shape
        self.values: list[bytes] = []
        self.latitude = self.longitude = 0.0
        self.z: float | None = None
        self.text: bytes | None = None
        self.deadline = self.queued = inf
        self.cell = NO_CELL
        self.rendered: dict[tuple[str, bool], bytes] | None = None

    def value(self, name: bytes) -> Comparable:
        """The field to compare by; a missing one is 0."""
        position = self.shape.index.get(name)
        if position is not None:
            return comparable(self.values[position])
        if name in RESERVED_NAMES:
            number = {b"z": self.z or 0.0, b"lat": self.latitude, b"lon": self.longitude}[name]
            return _NUMBER, number, ""
        return _NUMBER, 0.0, ""

    def fields(self) -> bytes:
        """The fields as a RESP array, sorted by name, zero ones left out; empty without any."""
        values = self.values
        words: list[bytes] = []
        add = words.append
        for name, position in self.shape.order:
            value = values[position]
            if value != ZERO:
                add(name)
                # Between a sign and a digit at both ends stands a number, which is read back as it was written.
                add(value if value and 43 <= value[0] <= 57 >= value[-1] else plain(value))
        packed: bytes = hiredis.pack_command(tuple(words)) if words else b""
        return packed

    def object(self) -> bytes:
        """The object itself: GeoJSON, or the string."""
        if self.text is not None:
            return bulk(self.text)
        place = f"{number_text(self.longitude)},{number_text(self.latitude)}"
        if self.z is not None:
            place += f",{number_text(self.z)}"
        return bulk(b'{"type":"Point","coordinates":[%b]}' % place.encode())

    def point(self) -> bytes:
        """Latitude, longitude and, where it is not 0, height; a string lies at 0, 0 as in Tile38."""
        numbers = [self.latitude, self.longitude, *([self.z] if self.z else [])]
        packed: bytes = hiredis.pack_command(tuple(number_text(number) for number in numbers))
        return packed

    def reply(self, output: str, with_fields: bool) -> bytes:
        """The item in a search's answer; made once for each change of the object."""
        if self.rendered is None:
            self.rendered = {}
        done = self.rendered.get((output, with_fields))
        if done is None:
            done = self.rendered[output, with_fields] = self._render(output, with_fields)
        return done

    def reply_with_distance(self, output: str, with_fields: bool, measure: float) -> bytes:
        """The same with the distance in metres as its last element."""
        distance = bulk(number_text(distance_m(measure)).encode())
        if output == "IDS":
            return b"*2\r\n" + bulk(self.id) + distance
        parts = self.reply(output, with_fields)
        return b"*%d\r\n" % (int(parts[1:2]) + 1) + parts[4:] + distance

    def _render(self, output: str, with_fields: bool) -> bytes:
        if output == "IDS":
            return bulk(self.id)
        body = self.point() if output == "POINTS" else self.object()
        fields = self.fields() if with_fields else b""
        return b"*%d\r\n%b%b%b" % (3 if fields else 2, bulk(self.id), body, fields)


class Expiry:
    """When objects end. An object is queued once and looked at when that moment comes: renewing it is free."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Collection, Item]] = []
        self._sequence = count()

    def watch(self, collection: "Collection", item: Item) -> None:
        """Look at the object when its deadline comes."""
        item.queued = item.deadline
        heapq.heappush(self._heap, (item.deadline, next(self._sequence), collection, item))

    def sweep(self, now_s: float) -> None:
        """Delete what has ended."""
        while self._heap and self._heap[0][0] <= now_s:
            _, _, collection, item = heapq.heappop(self._heap)
            item.queued = inf
            if item.deadline > now_s:
                if item.deadline < inf:
                    self.watch(collection, item)
            elif collection.items.get(item.id) is item:
                collection.delete(item.id)


class Collection:
    """Objects by id, and the points among them by cells of one degree."""

    def __init__(self, expiry: Expiry, shapes: "Shapes") -> None:
        self.items: dict[bytes, Item] = {}
        self._cells: dict[int, dict[bytes, Item]] = {}
        self._expiry = expiry
        self._shapes = shapes
        self._by_id: list[Item] | None = None

    def put_point(
        self,
        item_id: bytes,
        latitude: float,
        longitude: float,
        z: float | None,
        shape: Shape,
        values: list[bytes],
        deadline_s: float,
    ) -> None:
        """Set a point. Fields that are not named are kept; the time to live is not."""
        # Hot path: an object that moves within its cell costs a look-up and some assignments.
        cell = floor(latitude) * CELL_ROW + floor(longitude)
        item = self.items.get(item_id) or self._add(item_id)
        if item.cell != cell:
            self._move(item, cell)
        item.latitude = latitude
        item.longitude = longitude
        item.z = z
        item.text = None
        self._finish(item, shape, values, deadline_s)

    def put_string(self, item_id: bytes, text: bytes, shape: Shape, values: list[bytes], deadline_s: float) -> None:
        """Set a string, which no search by place finds."""
        item = self.items.get(item_id) or self._add(item_id)
        self._move(item, NO_CELL)
        item.latitude = item.longitude = 0.0
        item.z = None
        item.text = text
        self._finish(item, shape, values, deadline_s)

    def delete(self, item_id: bytes) -> bool:
        """Forget an object; whether there was one."""
        item = self.items.pop(item_id, None)
        if item is None:
            return False
        self._move(item, NO_CELL)
        self._by_id = None
        return True

    def by_id(self) -> list[Item]:
        """All objects in the order of their ids."""
        if self._by_id is None:
            self._by_id = [self.items[item_id] for item_id in sorted(self.items)]
        return self._by_id

    def in_box(self, box: Box) -> list[Item]:
        """The points of a box, edges included."""
        south, west, north, east = box
        if not (south <= north and west <= east):
            return []
        return [
            item
            for cell in self._cells_of(box)
            for item in cell.values()
            if south <= item.latitude <= north and west <= item.longitude <= east
        ]

    def in_circle(self, latitude: float, longitude: float, radius_m: float) -> list[Item]:
        """The points so near, as Tile38 finds them: not beyond 180 degrees."""
        most = haversine_of(radius_m)
        return [
            item
            for item in self.in_box(Box.around(latitude, longitude, radius_m))
            if haversine(latitude, longitude, item.latitude, item.longitude) <= most
        ]

    def nearest(self, latitude: float, longitude: float, radius_m: float) -> list[tuple[float, Item]]:
        """The points by their distance (as a haversine), within the radius where one above 0 is given."""
        most = haversine_of(radius_m) if radius_m > 0 else inf
        south, north = latitude_band(latitude, radius_m) if radius_m > 0 else (-inf, inf)
        measured = [
            (haversine(latitude, longitude, item.latitude, item.longitude), item)
            for cell in self._cells.values()
            for item in cell.values()
            if south <= item.latitude <= north
        ]
        near = [pair for pair in measured if pair[0] <= most]
        return sorted(near, key=lambda pair: (pair[0], pair[1].id))

    def _cells_of(self, box: Box) -> Iterable[dict[bytes, Item]]:
        rows = floor(max(box.south, -1e6)), floor(min(box.north, 1e6))
        columns = floor(max(box.west, -1e6)), floor(min(box.east, 1e6))
        if (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1) >= len(self._cells):
            return self._cells.values()
        keys = (
            row * CELL_ROW + column
            for row in range(rows[0], rows[1] + 1)
            for column in range(columns[0], columns[1] + 1)
        )
        return [self._cells[key] for key in keys if key in self._cells]

    def _add(self, item_id: bytes) -> Item:
        item = self.items[item_id] = Item(item_id, self._shapes.empty)
        self._by_id = None
        return item

    def _move(self, item: Item, cell: int) -> None:
        if item.cell != NO_CELL:
            left = self._cells[item.cell]
            del left[item.id]
            if not left:
                del self._cells[item.cell]
        if cell != NO_CELL:
            self._cells.setdefault(cell, {})[item.id] = item
        item.cell = cell

    def _finish(self, item: Item, shape: Shape, values: list[bytes], deadline_s: float) -> None:
        if item.shape is not shape:
            shape, values = self._shapes.merged(item, shape, values)
            item.shape = shape
        item.values = values
        item.rendered = None
        item.deadline = deadline_s
        if deadline_s < item.queued:
            self._expiry.watch(self, item)


class Shapes:
    """The sets of field names seen, so that objects with the same names share one."""

    def __init__(self) -> None:
        self.empty = Shape(())
        self._known: dict[tuple[bytes, ...], Shape] = {}

    def of(self, names: tuple[bytes, ...]) -> Shape:
        """The shared shape of these names, which are distinct."""
        if not names:
            return self.empty
        shape = self._known.get(names)
        if shape is None:
            if len(self._known) >= MAX_SHAPES:
                self._known.clear()
            shape = self._known[names] = Shape(names)
        return shape

    def merged(self, item: Item, shape: Shape, values: list[bytes]) -> tuple[Shape, list[bytes]]:
        """An object's fields after a SET that names some: the others are kept."""
        if shape.index.keys() >= item.shape.index.keys():
            return shape, values
        together = dict(zip(item.shape.names, item.values, strict=True))
        together.update(zip(shape.names, values, strict=True))
        kept = {name: value for name, value in together.items() if value != ZERO}
        return self.of(tuple(kept)), list(kept.values())
