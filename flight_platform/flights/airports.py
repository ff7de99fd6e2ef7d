"""Which airport a flight began or ended at: the field that best explains how the aircraft came, or none.

    last (or first) report ──► fields around ──► how well each explains place, height and direction ──► share of each

The measure of a field is its prior (how likely such a flight uses such a field) times how well distance and direction
fit an aircraft at that height above it. "No field that we know" competes too. The odds of a field against all others
become its confidence: how often such odds were right, on flights whose airports are known (docs/flights.md has the
table). The densities are the matter of `paths.py`; when a flight took off or landed, of `phases.py`.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from flight_platform.flights import paths
from flight_platform.flights.paths import End, Runways
from flight_platform.flights.track import Floats, around

HIGH_FT: Final = 3_000.0  # seen no lower than this above a field, an aircraft may be bound for another
_SURE: Final = 0.928  # a field with less confidence is not named
_SURE_HIGH: Final = 0.9982  # nor, from so high, one with less than this

# Confidence of odds: fitted to the best fields of 8,000 ends, and the same within 2 % on those left out of the fit. The
# model alone is too modest: of its even odds, two in three are right.
_EVEN: Final = 0.5
_STEEPNESS: Final = 2.2
_MOST: Final = 0.999  # one in a thousand truths is itself wrong

_REACH_NM: Final = 40.0
_HIGHEST_FT: Final = 8_000.0  # above every field around: it could be bound for any

# None of the fields that we know: a strip, a helipad, a truth that our reports do not show. To be compared with
# densities in a square nautical mile.
_NOWHERE: Final = 2e-5
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
class Guess:
    """An airport, the probability that it is the right one, and how far and how high above it the end was seen.

    The probability is the share of such guesses that were right where the truth is known.
    """

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
        field_of = {icao: number for number, icao in enumerate(self.icao)}
        known = [(field_of[r.airport], r) for r in runways if r.airport in field_of]
        known.sort(key=lambda pair: pair[0])
        self._runways = Runways(
            **{
                name: np.array([getattr(runway, name) for _, runway in known], dtype="f8")
                for name in ("latitude", "longitude", "heading_deg", "length_ft")
            }
        )
        self._runway_field = np.array([field for field, _ in known], dtype="i8")
        self._longest_ft = np.full(len(fields), math.nan)
        np.fmax.at(self._longest_ft, self._runway_field, self._runways.length_ft)

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
            fit, nowhere = paths.on_ground(distance), _NOWHERE_ON_GROUND
        else:
            fit = paths.near_field(distance, height, np.degrees(np.arctan2(east, north)), end)
            fit, nowhere = self._with_runways(fields, fit, height, end), _NOWHERE
        weight = self._prior(fields, fast=end.fast) * fit
        best_row = int(np.argmax(weight))
        return Guess(
            icao=self.icao[fields[best_row]],
            confidence=_confidence(float(weight[best_row] / (np.delete(weight, best_row).sum() + nowhere))),
            distance_nm=float(distance[best_row]),
            height_ft=float(height[best_row]),
        )

    def _with_runways(self, fields: npt.NDArray[np.int64], fit: Floats, height: Floats, end: End) -> Floats:
        """The fit of fields, half of it that of their best runway where they have any and it can tell."""
        if math.isnan(end.course_deg):
            return fit
        first = np.searchsorted(self._runway_field, fields)
        last = np.searchsorted(self._runway_field, fields, side="right")
        # Higher, runways of two fields that are in line or in parallel, miles apart, cannot be told.
        count = np.where(height <= HIGH_FT, last - first, 0)
        if not count.any():
            return fit
        owner = np.repeat(np.arange(len(fields)), count)
        rows = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + first[owner]
        best = np.zeros(len(fields))
        np.maximum.at(best, owner, paths.near_runway(self._runways.at(rows), height[owner], end))
        return np.where(count > 0, (fit + best) / 2, fit)

    def _prior(self, fields: npt.NDArray[np.int64], *, fast: bool) -> Floats:
        """How likely such a flight uses these fields: those with an IATA code, and a runway that it needs."""
        prior = self._use[fields] * np.where(self._scheduled[fields], 1.0, _UNSCHEDULED_FAST if fast else _UNSCHEDULED)
        if fast:
            known = np.nan_to_num(self._longest_ft[fields], nan=_FAST_NEEDS_FT)
            prior = prior / (1 + np.exp((_FAST_NEEDS_FT - known) / 400))
        return prior


def _confidence(odds: float) -> float:
    measure = odds**_STEEPNESS
    return _MOST / (1 + _EVEN / measure) if measure else 0.0


def _use(field: Airport) -> float:
    """What the name of a field says of how much it is used."""
    if _MILITARY_NAME.search(field.name):
        return _MILITARY
    return _INTERNATIONAL if "International" in field.name else 1.0
