"""How well fields and runways explain an aircraft near the ground: densities around the usual paths. Pure numbers.

    field    the distance of its middle suits the height, and the course points to it, or away from it
    runway   the same, and it is on the centre line: far sharper, where runways are known

All are densities in a square nautical mile, so that they can be added, compared, and weighed against no field at all.
Which fields are looked at, and what follows, is the matter of `airports.py`.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flight_platform.flights.track import Floats, around, turn_deg

# The usual path: 3 degrees of glide are 318 ft in a nautical mile, jets climb out at twice that and more. Wheels meet
# the ground a mile before the middle of a large field, and leave it near the middle.
_GLIDE_FT_NM: Final = 318.0
_GLIDE_ENDS_NM: Final = 1.0
_CLIMB_FT_NM: Final = 720.0
_CLIMB_BEGINS_NM: Final = 0.3
_CLIMB_LEAST_NM: Final = 0.9
_ROLL: Final = 0.7  # of the runway is behind it when it leaves the ground
_RUNWAY_FT_NM: Final = 6_076.0

_HEADED_DEG: Final = 12.0  # towards the middle of a field
_ALIGNED_DEG: Final = 10.0  # with a runway
_TURNS: Final = (0.1, 0.35)  # share of those that still turn or turn already: arriving, departing; more with height
_TURNS_ALWAYS_FT: Final = 12_000.0
_ODD: Final = 0.1  # share of paths that are not usual at all

_PRESSURE_FT: Final = 500.0  # barometric altitudes are off by this much where the air pressure is low or high
_ON_GROUND_NM: Final = 1.3  # from the middle of a field to where aircraft stand and roll


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an aircraft was when it was first or last seen near the ground. NaN is unknown.

    `course_deg` is where it flew to, as well at the beginning as at the end. `fast` says that it has flown as airliners
    and jets do.
    """

    arriving: bool
    latitude: float
    longitude: float
    altitude_ft: float
    course_deg: float
    on_ground: bool
    fast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Runways:
    """Directions of runways: where their thresholds are, where they lead, and how long they are."""

    latitude: Floats
    longitude: Floats
    heading_deg: Floats
    length_ft: Floats

    def at(self, rows: Any) -> "Runways":
        """Those in these rows."""
        return Runways(**{name: getattr(self, name)[rows] for name in self.__slots__})


def on_ground(distance_nm: Floats) -> Floats:
    """How well fields explain an aircraft on the ground at that distance from their middle; 1 is best."""
    return np.exp(-((distance_nm / _ON_GROUND_NM) ** 2) / 2)


def near_field(distance_nm: Floats, height_ft: Floats, bearing_deg: Floats, end: End) -> Floats:
    """The density of aircraft of that height and course around the middle of fields that lie there."""
    above = np.maximum(np.nan_to_num(height_ft), 0)
    if end.arriving:
        usual = above / _GLIDE_FT_NM + _GLIDE_ENDS_NM
        scale = 0.5 + 0.15 * usual
    else:
        usual = np.maximum(above / _CLIMB_FT_NM + _CLIMB_BEGINS_NM, _CLIMB_LEAST_NM)
        scale = 0.4 + 0.2 * usual
    ring = _spread(distance_nm - usual, scale) / (2 * math.pi * np.maximum(distance_nm, 0.7))
    headed = _headed(end, bearing_deg if end.arriving else bearing_deg + 180.0, distance_nm, above)
    density: Floats = ring * headed * _not_below(height_ft)
    return density


def near_runway(runways: Runways, height_ft: Floats, end: End) -> Floats:
    """The density of aircraft of that height and course around runways: on the centre line, along the usual path."""
    east, north = around(runways.latitude, runways.longitude, end.latitude, end.longitude)
    heading = np.radians(runways.heading_deg)
    ahead = east * np.sin(heading) + north * np.cos(heading)  # beyond the threshold
    aside = east * np.cos(heading) - north * np.sin(heading)
    above = np.maximum(np.nan_to_num(height_ft), 0)
    if end.arriving:
        usual = -above / _GLIDE_FT_NM
        scale = 0.4 - 0.12 * usual
    else:
        usual = _ROLL * runways.length_ft / _RUNWAY_FT_NM + above / _CLIMB_FT_NM
        scale = 0.5 + 0.2 * usual
    place = _spread(ahead - usual, scale) * _spread(aside, 0.08 + 0.02 * np.abs(usual))
    aligned = _pointing(turn_deg(end.course_deg, runways.heading_deg), np.array(_ALIGNED_DEG))
    density: Floats = place * aligned * _not_below(height_ft)
    return density


def _headed(end: End, direction_deg: Floats, distance_nm: Floats, above_ft: Floats) -> Floats:
    """How much more likely the course is than any other: straight, the less surely the nearer, or in a turn."""
    if math.isnan(end.course_deg):
        return np.ones(len(direction_deg))
    width = _HEADED_DEG + np.degrees(np.arctan2(0.8, distance_nm))
    turning = np.clip(_TURNS[not end.arriving] + above_ft / _TURNS_ALWAYS_FT, 0, 0.8)
    likelier: Floats = turning + (1 - turning) * _pointing(turn_deg(end.course_deg, direction_deg), width)
    return likelier


def _pointing(off_deg: Floats, width_deg: Floats) -> Floats:
    """A course that is so far off, beside one that points anywhere."""
    likelier: Floats = 360 / (width_deg * math.sqrt(2 * math.pi)) * np.exp(-((off_deg / width_deg) ** 2) / 2)
    return likelier


def _not_below(height_ft: Floats) -> Floats:
    """1, or 0 for who is further below the ground of the field than air pressure explains, or of unknown height."""
    sunk = np.minimum(np.nan_to_num(height_ft) + _PRESSURE_FT, 0) / 300
    return np.where(np.isnan(height_ft), 0.0, np.exp(-(sunk**2)))


def _spread(off: Floats, scale: Floats) -> Floats:
    """A density around the usual value: most are near, some are anywhere."""
    wide = 4 * scale
    near = np.exp(-np.abs(off) / scale) / (2 * scale)
    density: Floats = (1 - _ODD) * near + _ODD * np.exp(-np.abs(off) / wide) / (2 * wide)
    return density
