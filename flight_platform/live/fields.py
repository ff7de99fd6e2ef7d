"""How a flight lies in a live server: the one mapping between a position report and a Tile38 object.

    SET flights 3c6444-67a1b2c3 FIELD known 4095 FIELD time 1769860800250 ... EX 59.750 POINT +50.0333000 +8.5706000

The id is the flight id's text; times are Unix milliseconds; enumerations are their labels; `on_ground` is 1 or 0.
Tile38 keeps a field that a later SET does not name and deletes one that is set to 0. So every SET names every field,
what is unknown is set to 0 (deleted), and the bits of `known` tell an unknown field from a real zero or an empty text.
Texts are JSON strings, or Tile38 would take the callsign `123E45` for a number.

`command` is the mapping in plain words, for one row and for every odd value; `pack.py` is the same mapping for many
rows at once, held to this one by test.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from flight_platform.codec import Columns
from flight_platform.model import Emergency, Kind, Position, format_flight_id, parse_flight_id
from flight_platform.names import COLLECTION_FLIGHTS

# The fields that may be unknown, in the order of their bits in `known`: a bit is never given to another field, since
# readers and writers of two versions share one store for the time of an upgrade.
OPTIONAL: Final = (
    "altitude_ft",
    "geometric_altitude_ft",
    "on_ground",
    "ground_speed_kt",
    "track_deg",
    "vertical_rate_fpm",
    "callsign",
    "squawk",
    "emergency",
    "kind",
    "source",
)
BIT: Final = {name: 1 << position for position, name in enumerate(OPTIONAL)}
COLUMN: Final = {"ground_speed_kt": "ground_speed_dkt", "track_deg": "track_ddeg"}  # where the names differ
TENTHS: Final = frozenset(COLUMN)
TEXTS: Final = ("callsign", "squawk", "source")
LABELS: Final = {
    "emergency": {int(member): member.label for member in Emergency},
    "kind": {int(member): member.label for member in Kind},
}
FIELDS: Final = ("known", "time", "received_at", *OPTIONAL)

# Tile38 takes these for numbers even between quotes, whatever their case; a blank at the end keeps them text.
NUMBER_WORDS: Final = frozenset(sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity"))


def known_mask(columns: Columns, row: int) -> int:
    """The bits of the fields that this row knows; an enumeration's number that has no label here is unknown."""
    mask = 0
    for name, bit in BIT.items():
        column = COLUMN.get(name, name)
        labelled = name not in LABELS or int(columns[column][row]) in LABELS[name]
        if columns.known[column][row] and labelled:
            mask |= bit
    return mask


def command(columns: Columns, row: int, left_ms: int, *, only_absent: bool = False) -> list[bytes]:
    """The words of the SET of one row that is to live for `left_ms` from now."""
    mask = known_mask(columns, row)
    words = [b"SET", COLLECTION_FLIGHTS.encode(), format_flight_id(int(columns["flight_id"][row])).encode()]
    for name in FIELDS:
        words += (b"FIELD", name.encode(), str(mask).encode() if name == "known" else _value(columns, row, name, mask))
    words += (b"EX", b"%d.%03d" % divmod(max(left_ms, 1), 1000), *([b"NX"] if only_absent else []), b"POINT")
    words += (_degrees(int(columns["latitude_e7"][row])), _degrees(int(columns["longitude_e7"][row])))
    return words


def _value(columns: Columns, row: int, name: str, mask: int) -> bytes:
    if name in BIT and not mask & BIT[name]:
        return b"0"
    value = columns[COLUMN.get(name, name)][row]
    if name in TEXTS:
        return _quoted(bytes(value).decode("utf-8", "replace"))
    if name in LABELS:
        return _quoted(LABELS[name][int(value)])
    if name in TENTHS and value:
        return b"%.1f" % (int(value) / 10)
    return b"%d" % int(value)


def _quoted(text: str) -> bytes:
    return json.dumps(f"{text} " if text.lower() in NUMBER_WORDS else text).encode()


def _degrees(steps: int) -> bytes:
    whole, fraction = divmod(abs(steps), 10_000_000)
    return b"%c%d.%07d" % (b"-" if steps < 0 else b"+", whole, fraction)


def fields_of(names_and_values: Sequence[bytes]) -> dict[bytes, bytes]:
    """The fields of an item as Tile38 lists them: name, value, name, value."""
    return dict(zip(names_and_values[::2], names_and_values[1::2], strict=True))


@lru_cache(16_384)  # each second brings the same flights
def _identity(item_id: bytes) -> tuple[int, str]:
    """The number of a flight id and its address."""
    text = item_id.decode()
    return parse_flight_id(text), text[:-9]


def position_of(item_id: bytes, point: Sequence[bytes], fields: Mapping[bytes, bytes]) -> Position:
    """The report in an object: its id, its latitude and longitude, its fields."""
    flight_id, icao24 = _identity(item_id)
    get = fields.get
    known = int(get(b"known", b"0"))
    return Position(
        flight_id=flight_id,
        icao24=icao24,
        time=int(get(b"time", b"0")),
        received_at=int(get(b"received_at", b"0")),
        latitude=float(point[0]),
        longitude=float(point[1]),
        altitude_ft=int(get(b"altitude_ft", b"0")) if known & _ALTITUDE else None,
        geometric_altitude_ft=int(get(b"geometric_altitude_ft", b"0")) if known & _GEOMETRIC else None,
        on_ground=get(b"on_ground", b"0").strip() == b"1" if known & _GROUND else None,
        ground_speed_kt=float(get(b"ground_speed_kt", b"0")) if known & _SPEED else None,
        track_deg=float(get(b"track_deg", b"0")) if known & _TRACK else None,
        vertical_rate_fpm=int(get(b"vertical_rate_fpm", b"0")) if known & _RATE else None,
        callsign=get(b"callsign", b"").decode().rstrip(" ") if known & _CALLSIGN else None,
        squawk=get(b"squawk", b"").decode().rstrip(" ") if known & _SQUAWK else None,
        emergency=_EMERGENCIES.get(get(b"emergency", b"")) if known & _EMERGENCY else None,
        kind=_KINDS.get(get(b"kind", b"")) if known & _KIND else None,
        source=get(b"source", b"").decode().rstrip(" ") if known & _SOURCE else None,
    )


_ALTITUDE, _GEOMETRIC, _GROUND, _SPEED, _TRACK, _RATE, _CALLSIGN, _SQUAWK, _EMERGENCY, _KIND, _SOURCE = BIT.values()
_EMERGENCIES: Final = {member.label.encode(): member for member in Emergency}
_KINDS: Final = {member.label.encode(): member for member in Kind}
