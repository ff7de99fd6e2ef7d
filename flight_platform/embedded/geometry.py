"""Geometry as Tile38 reckons it: boxes, circles, tiles, great-circle distance and how a number is written.

Pure arithmetic on degrees and metres, for the live server alone. What does not belong here: the protocol
(`live_server.py`), the objects (`live_store.py`), and anything that wants a better earth than Tile38's sphere.
"""

import math
from decimal import Decimal
from typing import NamedTuple, Self

EARTH_RADIUS_M = 6_371_000.0  # Tile38's sphere
TILE_PIXELS = 256
MAX_ZOOM = 38  # the deepest tile that Tile38 takes
# Keeps a point on the very rim of a circle from being lost to rounding before it is measured.
PREFILTER_MARGIN_DEG = 1e-6


class Box(NamedTuple):
    """A box in degrees, edges included. One whose west is greater than its east holds nothing."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def of_tile(cls, x: int, y: int, zoom: int) -> Self:
        """The box of a Web Mercator tile; like Tile38, a tile beyond the map's edge shrinks to that edge."""
        north, west = _corner(x * TILE_PIXELS, y * TILE_PIXELS, zoom)
        south, east = _corner((x + 1) * TILE_PIXELS, (y + 1) * TILE_PIXELS, zoom)
        return cls(south, west, north, east)

    @classmethod
    def around(cls, latitude: float, longitude: float, radius_m: float) -> Self:
        """The box in which Tile38 looks for a circle's points: it does not reach across 180 degrees."""
        north = destination(latitude, longitude, radius_m, 0.0)[0]
        south = destination(latitude, longitude, radius_m, 180.0)[0]
        east = destination(latitude, longitude, radius_m, 90.0)[1]
        west = destination(latitude, longitude, radius_m, 270.0)[1]
        half_height, half_width = abs(north - south) / 2, abs(east - west) / 2
        return cls(latitude - half_height, longitude - half_width, latitude + half_height, longitude + half_width)


def _corner(pixel_x: int, pixel_y: int, zoom: int) -> tuple[float, float]:
    """Latitude and longitude of a pixel's corner, clipped to the map."""
    size = TILE_PIXELS << zoom
    x = min(max(pixel_x, 0), size) / size - 0.5
    y = 0.5 - min(max(pixel_y, 0), size) / size
    return 90 - 360 * math.atan(math.exp(-y * 2 * math.pi)) / math.pi, 360 * x


def destination(latitude: float, longitude: float, distance_m: float, bearing_deg: float) -> tuple[float, float]:
    """Where one arrives after so many metres on a great circle, longitude from -180 to 180."""
    angle = distance_m / EARTH_RADIUS_M
    bearing, phi, start = math.radians(bearing_deg), math.radians(latitude), math.radians(longitude)
    sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(bearing)
    arrived = math.asin(min(1.0, max(-1.0, sine)))
    turn = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(phi),
        math.cos(angle) - math.sin(phi) * math.sin(arrived),
    )
    return math.degrees(arrived), math.degrees((start + turn + 3 * math.pi) % (2 * math.pi) - math.pi)


def haversine(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """A measure that grows with distance and costs less than it: sin² of half the angle."""
    phi_a, phi_b = latitude_a * math.pi / 180, latitude_b * math.pi / 180
    sine_latitude = math.sin((latitude_b - latitude_a) * math.pi / 180 / 2)
    sine_longitude = math.sin((longitude_b - longitude_a) * math.pi / 180 / 2)
    return sine_latitude * sine_latitude + math.cos(phi_a) * math.cos(phi_b) * sine_longitude * sine_longitude


def haversine_of(distance_m: float) -> float:
    """The measure that `haversine` gives for two places so many metres apart."""
    sine = math.sin(0.5 * min(distance_m / EARTH_RADIUS_M, math.pi))
    return sine * sine


def distance_m(measure: float) -> float:
    """Metres from what `haversine` gave."""
    return EARTH_RADIUS_M * 2 * math.asin(math.sqrt(min(1.0, measure)))


def latitude_band(latitude: float, radius_m: float) -> tuple[float, float]:
    """The latitudes outside which nothing can be so near: right at the poles and across 180 degrees too."""
    reach = math.degrees(radius_m / EARTH_RADIUS_M) + PREFILTER_MARGIN_DEG
    return latitude - reach, latitude + reach


def number_text(value: float) -> str:
    """A number as Tile38 writes it: the shortest digits that give it back, never an exponent, no `.0`."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    return format(Decimal(text), "f") if "e" in text else text
