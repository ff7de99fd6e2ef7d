"""Mode S messages and Beast frames made by hand, as a transponder and a receiver make them."""

import math

from streaming.sources import cpr
from streaming.sources.mode_s_format import remainder


def coded(latitude: float, longitude: float, *, odd: bool, turn: float = 360.0) -> cpr.Coded:
    """A place as an aircraft codes it (DO-260B A.1.7.3); `turn` is 90 on the ground."""
    zone = turn / (60 - odd)
    y = math.floor(131_072 * (latitude % zone) / zone + 0.5)
    seen = zone * (y / 131_072 + math.floor(latitude / zone))
    across = turn / max(cpr.longitude_zones(seen) - odd, 1)
    x = math.floor(131_072 * (longitude % across) / across + 0.5)
    return cpr.Coded(odd, y % 131_072, x % 131_072)


def squitter(me: int, icao24: str = "3c6444", *, first: int = 17 << 3 | 5) -> bytes:
    """An extended squitter with its checksum; `first` holds the downlink format and three bits of its own."""
    head = bytes([first]) + bytes.fromhex(icao24) + me.to_bytes(7, "big")
    return head + remainder(head + bytes(3)).to_bytes(3, "big")


def airborne(
    latitude: float, longitude: float, *, odd: bool, altitude_ft: int = 36_000, code: int = 11, flag: int = 0
) -> int:
    """An airborne position (codes 20 to 22: with a geometric height); `flag` is the bit after the status."""
    steps = (altitude_ft + 1000) // 25
    height = (steps & 0x7F0) << 1 | 0x10 | steps & 0xF
    place = coded(latitude, longitude, odd=odd)
    return code << 51 | flag << 48 | height << 36 | odd << 34 | place.latitude << 17 | place.longitude


def surface(latitude: float, longitude: float, *, odd: bool, movement: int = 39, track: int | None = 32) -> int:
    """A surface position; movement 39 is 15 kt, track counts 360/128 degrees."""
    place = coded(latitude, longitude, odd=odd, turn=90.0)
    heading = 0 if track is None else 1 << 7 | track
    return 7 << 51 | movement << 44 | heading << 36 | odd << 34 | place.latitude << 17 | place.longitude


def identification(callsign: str) -> int:
    """An identification of eight characters."""
    letters = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ#####_###############0123456789######"
    me = 4 << 3
    for letter in callsign.ljust(8, "_"):
        me = me << 6 | letters.index(letter)
    return me


def velocity(east_kt: int, north_kt: int, rate_fpm: int = 0, above_ft: int = 0) -> int:
    """A velocity over ground, with vertical rate and how far the geometric altitude is above the barometric one."""
    me = 19 << 51 | 1 << 48
    me |= (east_kt < 0) << 42 | (abs(east_kt) + 1) << 32 | (north_kt < 0) << 31 | (abs(north_kt) + 1) << 21
    me |= (rate_fpm < 0) << 19 | (abs(rate_fpm) // 64 + 1) << 10
    return me | (above_ft < 0) << 7 | (abs(above_ft) // 25 + 1)


def beast(message: bytes, counter: int = 12_000_000, signal: int = 0x40) -> bytes:
    """A frame as a receiver writes it."""
    body = counter.to_bytes(6, "big") + bytes([signal]) + message
    kind = {2: b"1", 7: b"2", 14: b"3"}[len(message)]
    return b"\x1a" + kind + body.replace(b"\x1a", b"\x1a\x1a")
