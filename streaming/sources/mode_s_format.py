"""Mode S messages, merged per aircraft: messages in, reports out. Bits are decoded by `rs1090`; where messages come
from is in `beast.py`.

    message ──► of use? ──► rs1090 ──► callsign, velocity, squawk, emergency: kept per aircraft
                                 └──► coded position ──► cpr ──► report, with the newest of the rest

A message is partial, as an SBS line is. Noise is normal: what fails its checksum is counted and dropped. Replies whose
checksum is mixed with the address (squawks) count only for an aircraft that has been heard with a good one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import rs1090

from flight_platform.model import Emergency, Kind, Position, clean_callsign
from streaming.sources import cpr, fields
from streaming.sources.sbs_format import IDENTITY_MS, MOTION_MS

PAIR_MS: Final = 10_000  # an even and an odd position further apart are no pair (DO-260B 2.2.10.3.1)
TRAIL_MS: Final = 180_000  # how long the last position tells the zone of the next
_TRAIL_NM: Final = 60.0  # twice what an aircraft flies in that time
_REFERENCE_NM: Final = 100.0  # nearer than this to its receiver there is one answer: none hears 260 NM, 360 repeat
_SURFACE_NM: Final = 45.0
_FORGET_MS: Final = 600_000
_SWEEP_MESSAGES: Final = 100_000

_SQUITTER, _NON_TRANSPONDER = 17, 18
_IDENTITY_REPLIES: Final = frozenset({5, 21})
_SHORT, _LONG = 7, 14
_LENGTHS: Final = {_SQUITTER: _LONG, _NON_TRANSPONDER: _LONG, 5: _SHORT, 21: _LONG}
_EMERGENCIES: Final = {
    "none": Emergency.NONE,
    "general": Emergency.GENERAL,
    "medical": Emergency.MEDICAL,
    "minimum_fuel": Emergency.MINIMUM_FUEL,
    "no_communication": Emergency.NO_RADIO,
    "unlawful_interference": Emergency.UNLAWFUL,
    "downed_aircraft": Emergency.DOWNED,
    "reserved": Emergency.RESERVED,
}
# DF 18: what the control field says of the position, and whether a bit of it says that the address is not ICAO's.
_CONTROL_KINDS: Final = {0: Kind.ADSB, 1: Kind.ADSB, 2: Kind.TISB, 5: Kind.TISB, 6: Kind.ADSR}
_OTHER_ADDRESS: Final = frozenset({1, 5})
_FLAGGED_ADDRESS: Final = frozenset({2, 6})
_NO_DIFFERENCE: Final = 1  # of the two altitudes: 0 is unknown, then it counts from 0 ft by 25
_ADDRESS_FLAG: Final = {"05": 8, "06": 21, "09": 9, "61": 56, "62": 51, "65": 56}  # bit of the 56, from 1


class Heard(NamedTuple):
    """A message, when it was true (Unix milliseconds), and whether its position is computed from many receivers."""

    message: bytes
    time_ms: int
    mlat: bool = False


@dataclass(slots=True)
class _Aircraft:
    """The newest of what one aircraft has said, and when."""

    seen_ms: int = 0
    values: dict[str, tuple[int, Any]] = field(default_factory=dict)
    coded: dict[bool, tuple[int, cpr.Coded]] = field(default_factory=dict)  # the newest odd and even one
    placed: tuple[int, cpr.Place] | None = None

    def newest(self, name: str, now_ms: int, longest_ms: int) -> Any:
        """A field that is not too old; None where there is none."""
        heard = self.values.get(name)
        return heard[1] if heard is not None and abs(now_ms - heard[0]) <= longest_ms else None


class Decoder:
    """Turns the messages of one receiver into reports, in their order.

    reference: where the receiver is. With it an aircraft on the ground is placed, and one in the air by its first
    message.
    """

    def __init__(self, source: str, reference: cpr.Place | None = None) -> None:
        self._source, self._reference = source, reference
        self._aircraft: dict[str, _Aircraft] = {}
        self._messages = 0
        self.counts: Counter[str] = Counter()

    def take(self, heard: Sequence[Heard], received_at: int) -> list[tuple[Position, str]]:
        """The reports of some messages, each with its message in hex. Never raises."""
        useful = [one for one in heard if self._is_useful(one.message)]
        if not useful:
            return []
        reports: list[tuple[Position, str]] = []
        texts = [one.message.hex() for one in useful]
        for one, text, decoded in zip(useful, texts, rs1090.decode(texts), strict=True):
            if decoded is None:
                self.counts["undecodable"] += 1
                continue
            self.counts["used"] += 1
            position = self._merge(one, decoded, received_at)
            if position is not None:
                reports.append((position, text))
        self._sweep(len(useful), useful[-1].time_ms)
        return reports

    def _is_useful(self, message: bytes) -> bool:
        """Whether a message can say something of a report, and is whole."""
        format_ = message[0] >> 3 if message else 0
        length = _LENGTHS.get(format_)
        if length is None:
            self.counts["other"] += 1
            return False
        # rs1090 checks the checksum of DF 17 alone.
        if len(message) != length or (format_ == _NON_TRANSPONDER and remainder(message)):
            self.counts["undecodable"] += 1
            return False
        return True

    def _merge(self, heard: Heard, decoded: Any, received_at: int) -> Position | None:
        """Keeps what a message says; its report where it is a position."""
        message, time_ms = heard.message, heard.time_ms
        icao24 = str(decoded["icao24"])
        format_ = message[0] >> 3
        if format_ in _IDENTITY_REPLIES:
            known = self._aircraft.get(icao24)
            if known is not None and known.seen_ms >= time_ms - _FORGET_MS:
                known.values["squawk"] = (time_ms, decoded["squawk"])
            return None
        kind: Kind | None = Kind.ADSB
        if format_ == _NON_TRANSPONDER:
            kind = _CONTROL_KINDS.get(message[0] & 7)
            if kind is None:  # coarse TIS-B and its management: other formats
                return None
            if _is_other_address(message, decoded.get("bds")):
                icao24 = "~" + icao24
        aircraft = self._aircraft.setdefault(icao24, _Aircraft())
        aircraft.seen_ms = time_ms
        if decoded.get("bds") not in {"05", "06"}:
            _note(aircraft.values, decoded, time_ms)
            if decoded.get("bds") == "09" and message[10] & 0x7F == _NO_DIFFERENCE:
                aircraft.values["above"] = (time_ms, 0)  # which rs1090 takes for unknown
            return None
        place = self._place(aircraft, decoded, time_ms)
        if place is None:
            self.counts["unplaced"] += 1
            return None
        kind = Kind.MLAT if heard.mlat else kind
        return self._report(aircraft, decoded, (icao24, kind, place), time_ms, received_at)

    def _place(self, aircraft: _Aircraft, decoded: Any, time_ms: int) -> cpr.Place | None:
        surface = decoded["bds"] == "06"
        coded = cpr.Coded(decoded["parity"] == "odd", decoded["lat_cpr"], decoded["lon_cpr"])
        place = self._near(aircraft, coded, time_ms) if surface else self._by_pair(aircraft, coded, time_ms)
        if place is not None:
            aircraft.placed = (time_ms, place)
        return place

    def _by_pair(self, aircraft: _Aircraft, coded: cpr.Coded, time_ms: int) -> cpr.Place | None:
        other = aircraft.coded.get(not coded.odd)
        aircraft.coded[coded.odd] = (time_ms, coded)
        place = None
        if other is not None and abs(time_ms - other[0]) <= PAIR_MS:
            place = cpr.from_pair(other[1], coded)
        return self._near(aircraft, coded, time_ms, surface=False) if place is None else place

    def _near(self, aircraft: _Aircraft, coded: cpr.Coded, time_ms: int, *, surface: bool = True) -> cpr.Place | None:
        """By the aircraft's last position, or by where its receiver is."""
        known: list[tuple[cpr.Place, float]] = []
        if aircraft.placed is not None and abs(time_ms - aircraft.placed[0]) <= TRAIL_MS:
            known.append((aircraft.placed[1], _SURFACE_NM if surface else _TRAIL_NM))
        if self._reference is not None:
            known.append((self._reference, _SURFACE_NM if surface else _REFERENCE_NM))
        for place, longest_nm in known:
            found = cpr.near(coded, place, surface=surface)
            if found is not None and cpr.distance_nm(found, place) <= longest_nm:
                return found
        return None

    def _report(
        self,
        aircraft: _Aircraft,
        decoded: Any,
        known: tuple[str, Kind | None, cpr.Place],
        time_ms: int,
        received_at: int,
    ) -> Position:
        icao24, kind, (latitude, longitude) = known
        newest, surface = aircraft.newest, decoded["bds"] == "06"
        if surface:
            aircraft.values.pop("rate", None)
            _note(aircraft.values, decoded, time_ms)
        barometric, geometric = (None, None) if surface else _altitudes(decoded, newest("above", time_ms, MOTION_MS))
        return Position(
            icao24=icao24,
            time=time_ms,
            received_at=received_at,
            latitude=round(latitude, 7),
            longitude=round(longitude, 7),
            altitude_ft=barometric,
            geometric_altitude_ft=geometric,
            on_ground=surface,
            ground_speed_kt=newest("speed", time_ms, MOTION_MS),
            track_deg=newest("track", time_ms, MOTION_MS),
            vertical_rate_fpm=newest("rate", time_ms, MOTION_MS),
            callsign=newest("callsign", time_ms, IDENTITY_MS),
            squawk=newest("squawk", time_ms, IDENTITY_MS),
            emergency=newest("emergency", time_ms, IDENTITY_MS),
            kind=kind,
            source=self._source,
        )

    def _sweep(self, messages: int, time_ms: int) -> None:
        self._messages += messages
        if self._messages >= _SWEEP_MESSAGES:
            self._messages = 0
            self._aircraft = {
                icao24: heard for icao24, heard in self._aircraft.items() if time_ms - heard.seen_ms < _FORGET_MS
            }


def _altitudes(decoded: Any, above_ft: int | None) -> tuple[int | None, int | None]:
    """Barometric and geometric altitude: the message has one, a velocity message said how far the other is above."""
    altitude: int | None = decoded.get("altitude")
    if altitude is None or decoded.get("source") == "barometric":
        return altitude, None if altitude is None or above_ft is None else altitude + above_ft
    return None, altitude


def _note(values: dict[str, tuple[int, Any]], decoded: Any, time_ms: int) -> None:
    """Keeps what a message says beside a position."""
    get, bds = decoded.get, decoded.get("bds")
    if bds == "08":
        callsign = clean_callsign(get("callsign"))
        if callsign is not None:
            values["callsign"] = (time_ms, callsign)
    elif bds in {"09", "06"}:
        for name, value in (
            ("speed", fields.tenths(get("groundspeed"), "groundspeed")),
            ("track", fields.track(get("track"))),
            ("rate", fields.whole(get("vertical_rate"), "vertical_rate")),
            ("above", fields.whole(get("geo_minus_baro"), "geo_minus_baro")),
        ):
            if value is not None:
                values[name] = (time_ms, value)
    elif bds == "61" and get("subtype") == "emergency_priority":
        emergency, squawk = _EMERGENCIES.get(get("emergency_state")), get("squawk")
        if emergency is not None:
            values["emergency"] = (time_ms, emergency)
        if squawk not in {None, "0000"}:  # older transponders leave it empty here
            values["squawk"] = (time_ms, squawk)


def _is_other_address(message: bytes, bds: str | None) -> bool:
    """Whether the address of a DF 18 message is none of ICAO's."""
    control = message[0] & 7
    if control in _OTHER_ADDRESS:
        return True
    bit = _ADDRESS_FLAG.get(bds or "")
    return (
        control in _FLAGGED_ADDRESS and bit is not None and bool(int.from_bytes(message[4:11], "big") >> (56 - bit) & 1)
    )


def _table() -> list[int]:
    remainders = []
    for byte in range(256):
        value = byte << 16
        for _ in range(8):
            value = (value << 1) ^ (_GENERATOR if value & 0x800000 else 0)
        remainders.append(value & 0xFFFFFF)
    return remainders


_GENERATOR: Final = 0x1FFF409  # of the 24-bit checksum, ICAO Annex 10 vol. IV 3.1.2.3.3.1.2
_REMAINDERS: Final = _table()


def remainder(message: bytes) -> int:
    """What the checksum leaves of a whole message: 0 where it is right (or the address, where that is mixed in)."""
    value = 0
    for byte in message[:-3]:
        value = (value << 8 & 0xFFFFFF) ^ _REMAINDERS[value >> 16 ^ byte]
    return value ^ int.from_bytes(message[-3:], "big")
