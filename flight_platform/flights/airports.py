"""Which airport a flight began or ended at: the field that best explains how the aircraft came, or none.

    last (or first) report ──► fields around ──► how well each explains place, height and direction ──► share of each

The measure of a field is its prior (how likely such a flight uses such a field) times how well distance and direction
fit an aircraft at that height above it. "No field that we know" competes too. What a field has of the sum of all is the
confidence: the probability, by this model, that it is the one. When a flight took off or landed is the matter of
`phases.py`.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from flight_platform.flights.track import Floats, around, turn_deg

HIGH_FT: Final = 3_000.0  # seen no lower than this above a field, an aircraft may be bound for another
_SURE: Final = 0.7  # a field with less confidence is not named
_SURE_HIGH: Final = 0.95  # nor, from so high, one with less than this

_REACH_NM: Final = 40.0
_HIGHEST_FT: Final = 8_000.0  # above every field around: it could be bound for any
_PRESSURE_FT: Final = 500.0  # barometric altitudes are off by this much where the air pressure is low or high

# The usual path: 3 degrees of glide are 318 ft in a nautical mile, jets climb out at twice that and more. Wheels meet
# the ground a mile before the middle of a large field, and leave it near the middle.
_GLIDE_FT_NM: Final = 318.0
_GLIDE_ENDS_NM: Final = 1.0
_CLIMB_FT_NM: Final = 720.0
_CLIMB_BEGINS_NM: Final = 0.3
_HEADED_DEG: Final = 12.0
_TURNS: Final = (0.1, 0.35)  # share of those that still turn or turn already: arriving, departing; more with height
_TURNS_ALWAYS_FT: Final = 12_000.0
_ODD: Final = 0.1  # share of paths that are not usual at all

# None of the fields that we know: a strip, a helipad, a truth that our reports do not show.
_NOWHERE: Final = 2e-5  # weight, to be compared with densities in square nautical miles
_NOWHERE_ON_GROUND: Final = 1e-3

_FAST_NEEDS_FT: Final = 4_500.0  # runway that airliners and jets need
_UNSCHEDULED_FAST: Final = 0.03  # their use of a field without an IATA code, beside one with
_UNSCHEDULED: Final = 0.5
_INTERNATIONAL: Final = 2.0
_MILITARY: Final = 0.2
_MILITARY_NAME: Final = re.compile(r"air (force )?base|\b(afb|nas|naval|army|aaf|raf|military)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """One direction of a runway: where its threshold is, and where it leads."""

    airport: str
    name: str
    length_ft: float
    latitude: float
    longitude: float
    heading_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Airport:
    """A field; `iata` is None where no airline flies there."""

    icao: str
    name: str
    iata: str | None
    latitude: float
    longitude: float
    elevation_ft: float | None


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
class Guess:
    """An airport, the probability that it is the right one, and how far and how high above it the end was seen."""

    icao: str
    confidence: float
    distance_nm: float
    height_ft: float

    @property
    def is_sure(self) -> bool:
        """Whether it may be named: rather no airport than a wrong one."""
        return self.confidence >= (_SURE_HIGH if self.height_ft > HIGH_FT else _SURE)


class Airports:
    """All fields, to be searched by place."""

    def __init__(self, airports: Iterable[Airport], runways: Iterable[Runway] = ()) -> None:
        fields = sorted(airports, key=lambda field: field.latitude)
        self.icao = [field.icao for field in fields]
        self.latitude = np.array([field.latitude for field in fields], dtype="f8")
        self.longitude = np.array([field.longitude for field in fields], dtype="f8")
        self.elevation_ft = np.array(
            [math.nan if field.elevation_ft is None else field.elevation_ft for field in fields], dtype="f8"
        )
        self._use = np.array([_use(field) for field in fields], dtype="f8")
        self._scheduled = np.array([field.iata is not None for field in fields], dtype=bool)
        self._runways: dict[str, list[Runway]] = {}
        for runway in runways:
            self._runways.setdefault(runway.airport, []).append(runway)
        longest = {icao: max(runway.length_ft for runway in ends) for icao, ends in self._runways.items()}
        self._longest_ft = np.array([longest.get(icao, math.nan) for icao in self.icao], dtype="f8")

    def __len__(self) -> int:
        return len(self.icao)

    def near(self, latitude: float, longitude: float, radius_nm: float) -> npt.NDArray[np.int64]:
        """The fields within a radius."""
        reach = radius_nm / 60
        first, last = np.searchsorted(self.latitude, [latitude - reach, latitude + reach])
        east, north = around(latitude, longitude, self.latitude[first:last], self.longitude[first:last])
        within: npt.NDArray[np.int64] = np.flatnonzero(np.hypot(east, north) <= radius_nm) + first
        return within

    def guess(self, end: End) -> Guess | None:
        """The field that explains an end best, whatever its confidence; None where there is none around."""
        fields = self.near(end.latitude, end.longitude, _REACH_NM)
        if len(fields) == 0:
            return None
        east, north = around(end.latitude, end.longitude, self.latitude[fields], self.longitude[fields])
        distance = np.hypot(east, north)
        height = end.altitude_ft - np.nan_to_num(self.elevation_ft[fields])
        if not end.on_ground and (np.isnan(height).all() or np.nanmin(height) > _HIGHEST_FT):
            return None
        if end.on_ground:
            fit, nowhere = _fit_on_ground(distance), _NOWHERE_ON_GROUND
        else:
            bearing = np.degrees(np.arctan2(east, north))
            fit, nowhere = _fit_in_the_air(distance, height, bearing, end), _NOWHERE
            for row, field in enumerate(fields.tolist()):
                ends = self._runways.get(self.icao[field])
                if ends and height[row] <= HIGH_FT:  # higher, parallel runways miles apart cannot be told
                    best = max(_fit_of_runway(runway, float(height[row]), end) for runway in ends)
                    fit[row] = (fit[row] + best) / 2
        weight = self._prior(fields, fast=end.fast) * fit
        best_row = int(np.argmax(weight))
        return Guess(
            icao=self.icao[fields[best_row]],
            confidence=float(weight[best_row] / (weight.sum() + nowhere)),
            distance_nm=float(distance[best_row]),
            height_ft=float(height[best_row]),
        )

    def _prior(self, fields: npt.NDArray[np.int64], *, fast: bool) -> Floats:
        """How likely such a flight uses these fields: those with an IATA code, and a runway that it needs."""
        prior = self._use[fields] * np.where(self._scheduled[fields], 1.0, _UNSCHEDULED_FAST if fast else _UNSCHEDULED)
        if fast:
            known = np.nan_to_num(self._longest_ft[fields], nan=_FAST_NEEDS_FT)
            prior = prior / (1 + np.exp((_FAST_NEEDS_FT - known) / 400))
        return prior


def _use(field: Airport) -> float:
    """What the name of a field says of how much it is used."""
    if _MILITARY_NAME.search(field.name):
        return _MILITARY
    return _INTERNATIONAL if "International" in field.name else 1.0


def _fit_on_ground(distance: Floats) -> Floats:
    return np.exp(-((distance / 1.3) ** 2) / 2)


def _fit_in_the_air(distance: Floats, height: Floats, bearing: Floats, end: End) -> Floats:
    """The density, in a square nautical mile, of aircraft of that height and course around the middle of a field."""
    above = np.maximum(np.nan_to_num(height), 0)
    if end.arriving:
        usual = above / _GLIDE_FT_NM + _GLIDE_ENDS_NM
        spread = 0.5 + 0.15 * usual
    else:
        usual = np.maximum(above / _CLIMB_FT_NM + _CLIMB_BEGINS_NM, 0.9)
        spread = 0.4 + 0.2 * usual
    fit = _spread(distance - usual, spread) / (2 * math.pi * np.maximum(distance, 0.7))
    sunk = np.minimum(height + _PRESSURE_FT, 0) / 300  # below the ground of the field: not there
    fit = np.where(np.isnan(height), 0.0, fit * np.exp(-(np.nan_to_num(sunk) ** 2)))
    return fit * _headed(end, bearing if end.arriving else bearing + 180.0, distance, above)


def _headed(end: End, direction: Floats, distance: Floats, above: Floats) -> Floats:
    """How much more likely the course is than any other: towards the field, or from it; nothing says it where near."""
    if math.isnan(end.course_deg):
        return np.ones(len(direction))
    width = _HEADED_DEG + np.degrees(np.arctan2(0.8, distance))
    off = turn_deg(end.course_deg, direction)
    straight = 360 / (width * math.sqrt(2 * math.pi)) * np.exp(-((off / width) ** 2) / 2)
    least = _TURNS[0] if end.arriving else _TURNS[1]
    turns = np.clip(least + above / _TURNS_ALWAYS_FT, 0, 0.8)
    likelier: Floats = turns + (1 - turns) * straight
    return likelier


def _fit_of_runway(runway: Runway, height_ft: float, end: End) -> float:
    """The same around one runway: on its centre line, in its direction, at the height of the usual path."""
    if math.isnan(height_ft) or math.isnan(end.course_deg):
        return 0.0
    east, north = around(runway.latitude, runway.longitude, end.latitude, end.longitude)
    heading = math.radians(runway.heading_deg)
    ahead = float(east) * math.sin(heading) + float(north) * math.cos(heading)  # beyond the threshold
    aside = float(east) * math.cos(heading) - float(north) * math.sin(heading)
    above = max(height_ft, 0.0)
    if end.arriving:
        usual = -above / _GLIDE_FT_NM
        spread = 0.4 + 0.12 * abs(usual)
    else:
        usual = 0.7 * runway.length_ft / 6076 + above / _CLIMB_FT_NM
        spread = 0.5 + 0.2 * usual
    along = _spread(np.array(ahead - usual), np.array(spread))
    across_nm = 0.08 + 0.02 * abs(usual)
    across = _spread(np.array(aside), np.array(across_nm))
    off = float(turn_deg(end.course_deg, runway.heading_deg))
    return float(along * across) * 360 / (10 * math.sqrt(2 * math.pi)) * math.exp(-((off / 10) ** 2) / 2)


def _spread(off: Floats, scale: Floats) -> Floats:
    """A density around the usual value with tails on both sides: most are near, some are anywhere."""
    near = np.exp(-np.abs(off) / scale) / (2 * scale)
    wide = 4 * scale
    return (1 - _ODD) * near + _ODD * np.exp(-np.abs(off) / wide) / (2 * wide)
