"""Compact Position Reporting: the coded positions of ADS-B in, degrees out. Which of them belong together is
`mode_s_format.py`'s matter.

A message carries where in a zone an aircraft is, not in which zone. Two gratings of zones, an even and an odd one,
tell it where both have been heard (`from_pair`); a place that is near enough tells it as well (`near`). ICAO Doc 9871,
annex C.2.6; DO-260B, A.1.7.
"""

import math
from bisect import bisect_right
from typing import Final, NamedTuple

Place = tuple[float, float]  # latitude, longitude

_STEPS: Final = 1 << 17
_AIRBORNE_DEG: Final = 360.0
_SURFACE_DEG: Final = 90.0  # on the ground a zone is a quarter, for steps of a meter
_EVEN_ZONES, _ODD_ZONES = 60, 59
# The latitudes at which there is one zone of longitude less: from 59 at the equator to 1 around the poles.
_LIMITS: Final = [
    math.degrees(math.acos(math.sqrt((1 - math.cos(math.pi / 30)) / (1 - math.cos(2 * math.pi / zones)))))
    for zones in range(59, 1, -1)
]


class Coded(NamedTuple):
    """A coded position: 17 bits each of a latitude and a longitude, in the odd or the even grating."""

    odd: bool
    latitude: int
    longitude: int


def longitude_zones(latitude: float) -> int:
    """How many zones of longitude there are at a latitude, in the even grating."""
    return 59 - bisect_right(_LIMITS, abs(latitude))


def from_pair(older: Coded, newer: Coded) -> Place | None:
    """Where an airborne aircraft was at the newer of two positions, an odd and an even one.

    None where the two are in different zones of longitude, or are no pair.
    """
    if older.odd == newer.odd:
        return None
    even, odd = (older, newer) if newer.odd else (newer, older)
    even_part, odd_part = even.latitude / _STEPS, odd.latitude / _STEPS
    band = math.floor(_ODD_ZONES * even_part - _EVEN_ZONES * odd_part + 0.5)
    even_latitude = _northern_or_southern(_AIRBORNE_DEG / _EVEN_ZONES * (band % _EVEN_ZONES + even_part))
    odd_latitude = _northern_or_southern(_AIRBORNE_DEG / _ODD_ZONES * (band % _ODD_ZONES + odd_part))
    if max(abs(even_latitude), abs(odd_latitude)) > 90:
        return None
    zones = longitude_zones(even_latitude)
    if zones != longitude_zones(odd_latitude):
        return None
    index = math.floor((even.longitude * (zones - 1) - odd.longitude * zones) / _STEPS + 0.5)
    own_zones = max(zones - newer.odd, 1)
    longitude = _AIRBORNE_DEG / own_zones * (index % own_zones + newer.longitude / _STEPS)
    return odd_latitude if newer.odd else even_latitude, _half_turn(longitude)


def near(coded: Coded, place: Place, *, surface: bool = False) -> Place | None:
    """The one position near a place: half a zone away at most, 180 NM in the air and 45 NM on the ground."""
    turn = _SURFACE_DEG if surface else _AIRBORNE_DEG
    latitude = _nearest(turn / (_ODD_ZONES if coded.odd else _EVEN_ZONES), coded.latitude, place[0])
    if abs(latitude) > 90:
        return None
    zones = max(longitude_zones(latitude) - coded.odd, 1)
    return latitude, _half_turn(_nearest(turn / zones, coded.longitude, place[1]))


def _nearest(zone_deg: float, steps: int, reference: float) -> float:
    part = steps / _STEPS
    return zone_deg * (math.floor(0.5 + reference / zone_deg - part) + part)


def _northern_or_southern(latitude: float) -> float:
    return latitude - 360.0 if latitude >= 270.0 else latitude


def _half_turn(longitude: float) -> float:
    """The same longitude within -180..180."""
    return (longitude + 180.0) % 360.0 - 180.0


def distance_nm(one: Place, other: Place) -> float:
    """The great-circle distance of two places in nautical miles."""
    latitude, to_latitude = math.radians(one[0]), math.radians(other[0])
    half = math.sin((to_latitude - latitude) / 2) ** 2
    half += math.cos(latitude) * math.cos(to_latitude) * math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    return 2 * math.degrees(math.asin(min(1.0, math.sqrt(half)))) * 60
