"""When a flight was in the air: take-off, landing, time in altitude bands, gaps in coverage.

Which airport an end belongs to is the matter of `airports.py`; how all of it becomes one record, of `summary.py`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from flight_platform.flights.airports import Guess
from flight_platform.flights.paths import End
from flight_platform.flights.track import AIR, GROUND, Track, around, geodesic_nm

GAP_S: Final = 300.0  # reports further apart leave a gap: nobody knows what was in between

# Edges of the altitude bands, feet: the circuit, the terminal area, below and above the levels of the airlines.
BANDS_FT: Final = (3_000.0, 10_000.0, 25_000.0, 35_000.0)

_TAXI_KT: Final = 40.0  # slower, and without word of it, an aircraft is on the ground
_NO_TAXI_KT: Final = 200.0  # faster, it flies, whatever its transponder says
_HOP_S: Final = 30.0  # "in the air" for less and slower than this: a slip of a transponder at its stand
_HOP_KT: Final = 60.0
_FAST_FT: Final = 20_000.0
_FAST_KT: Final = 250.0

_COURSE_S: Final = 400.0  # positions this far apart still tell a course, where the way between them is straight
_COURSE_SURE_S: Final = 120.0  # these do in any case
_STRAIGHT: Final = 0.9
_COURSE_NM: Final = 0.2
_RATE_S: Final = 240.0
_CLIMB_FPM: Final = (500.0, 1_800.0, 4_000.0)  # least, usual and most that is believed
_DESCENT_FPM: Final = (300.0, 700.0, 1_500.0)
_LIFT_OFF_KT: Final = 140.0
_TOUCH_DOWN_KT: Final = 130.0
_FIELD_NM: Final = 0.6  # from the middle of a field to where wheels leave or meet the ground

# Confidence of an expected error: the share of times within two minutes of the truth, fitted to 6,900 ends. Of landings
# that were not seen a quarter is further from it however near the ground the last report was.
_RIGHT: Final = 0.98
_UNSEEN_LANDINGS_RIGHT: Final = 0.76
_SEEN_S: Final = 60.0  # reports on both sides of the ground no further apart than this leave nothing to infer
_HALF_RIGHT_S: Final = 165.0  # the expected error with which half as many are right
_SPREAD_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time, Unix seconds, and the probability that it is within two minutes of the truth.

    The probability is the share of such times that were, where the truth is known.
    """

    time_s: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of a flight without reports."""

    from_s: float
    to_s: float
    distance_nm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Airborne:
    """The reports from the first to the last in the air, and which of all reports are in the air."""

    first: int
    last: int
    mask: npt.NDArray[np.bool_]


def airborne(track: Track) -> Airborne | None:
    """When it flew, a touch-and-go in between included; None where it never did."""
    mask = _in_the_air(track)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype("i1")))
    flown = [(a, b - 1) for a, b in edges.reshape(-1, 2).tolist() if _is_flight(track, a, b - 1)]
    if not flown:
        return None
    return Airborne(first=flown[0][0], last=flown[-1][1], mask=mask)


def _in_the_air(track: Track) -> npt.NDArray[np.bool_]:
    """Whether each report is in the air: as told where that can be, else by speed, else as the report before."""
    speed, told = track.ground_speed_kt, track.told_ground
    slow, fast = speed < _TAXI_KT, speed > _NO_TAXI_KT  # both are false where the speed is unknown
    state = np.full(len(track), -1, dtype="i1")
    state[(told == AIR) & ~slow] = 1
    untold = (told != AIR) & (told != GROUND)
    # Many feeds that tell no ground state send an altitude of exactly 0 there, whatever the field's elevation.
    state[untold & (slow | (track.altitude_ft == 0))] = 0
    state[untold & (state < 0) & ~np.isnan(track.altitude_ft + speed)] = 1
    state[told == GROUND] = 0
    state[fast] = 1
    known = np.flatnonzero(state >= 0)
    if len(known) == 0:
        return np.ones(len(track), dtype=bool)
    before = np.searchsorted(known, np.arange(len(track)), side="right") - 1
    filled: npt.NDArray[np.bool_] = state[known[np.maximum(before, 0)]] == 1
    return filled


def _is_flight(track: Track, first: int, last: int) -> bool:
    """Whether a stretch in the air is no slip: it lasts, or is fast, or nothing is known around it."""
    lasts = track.time_s[last] - track.time_s[first] >= _HOP_S
    speeds = track.ground_speed_kt[first : last + 1]
    return bool(lasts or (speeds > _HOP_KT).any() or (first == 0 and last == len(track) - 1))


def is_fast(track: Track) -> bool:
    """Whether it has flown as airliners and jets do."""
    return bool((track.altitude_ft > _FAST_FT).any() or (track.ground_speed_kt > _FAST_KT).any())


def end_of(track: Track, flown: Airborne, *, arriving: bool) -> End:
    """How it was at one end: on the ground where it was seen there, else in the air."""
    at = flown.last if arriving else flown.first
    beyond = at + 1 if arriving else at - 1
    seen = 0 <= beyond < len(track)
    shown = beyond if seen else at
    return End(
        arriving=arriving,
        latitude=float(track.latitude[shown]),
        longitude=float(track.longitude[shown]),
        altitude_ft=float(track.altitude_ft[shown]),
        course_deg=_course(track, at, back=arriving),
        on_ground=seen,
        fast=is_fast(track),
    )


def _course(track: Track, at: int, *, back: bool) -> float:
    """Where it flew to at a report: as told, else from the next position that is far enough away on a straight way."""
    told = float(track.track_deg[at])
    if not math.isnan(told):
        return told
    step = -1 if back else 1
    other = at + step
    while 0 <= other < len(track) and abs(track.time_s[other] - track.time_s[at]) <= _COURSE_S:
        east, north = around(track.latitude[at], track.longitude[at], track.latitude[other], track.longitude[other])
        way_nm = math.hypot(east, north)
        if way_nm >= _COURSE_NM:
            straight = _is_straight(track, at, other, way_nm)
            return math.degrees(math.atan2(east * step, north * step)) % 360 if straight else math.nan
        other += step
    return math.nan


def _is_straight(track: Track, one: int, other: int, way_nm: float) -> bool:
    """Whether it came from one place to the other without a turn: then the way is as long as its speed says."""
    seconds = abs(track.time_s[other] - track.time_s[one])
    if seconds <= _COURSE_SURE_S:
        return True
    flown_nm = (track.ground_speed_kt[one] + track.ground_speed_kt[other]) / 2 * seconds / 3600
    return bool(way_nm >= _STRAIGHT * flown_nm)  # false where a speed is unknown


def take_off(track: Track, flown: Airborne, guess: Guess | None) -> Moment | None:
    """When it left the ground; None where neither the ground was seen nor the field is known."""
    at = flown.first
    ground_s = float(track.time_s[at - 1]) if at > 0 else None
    earlier = _way_to_ground_s(track, at, guess, arriving=False)
    return _moment(float(track.time_s[at]), earlier, ground_s, sign=-1)


def landing(track: Track, flown: Airborne, guess: Guess | None) -> Moment | None:
    """When it last came back to the ground; None where neither the ground was seen nor the field is known."""
    at = flown.last
    ground_s = float(track.time_s[at + 1]) if at + 1 < len(track) else None
    later = _way_to_ground_s(track, at, guess, arriving=True)
    return _moment(float(track.time_s[at]), later, ground_s, sign=1)


def _way_to_ground_s(track: Track, at: int, guess: Guess | None, *, arriving: bool) -> float | None:
    """Seconds between a report in the air and the ground: by height and rate, by distance and speed, the longer."""
    if guess is None:
        return None
    rate = _rate_fpm(track, at, _DESCENT_FPM if arriving else _CLIMB_FPM, arriving=arriving)
    by_height = 0.0 if math.isnan(guess.height_ft) else max(guess.height_ft, 0.0) / rate * 60
    on_ground_kt = _TOUCH_DOWN_KT if arriving else _LIFT_OFF_KT
    speed = float(track.ground_speed_kt[at])
    mean_kt = on_ground_kt if math.isnan(speed) else max((speed + on_ground_kt) / 2, 60.0)
    by_distance = max(guess.distance_nm - _FIELD_NM, 0.0) / mean_kt * 3600
    return max(by_height, by_distance)


def _rate_fpm(track: Track, at: int, believed: tuple[float, float, float], *, arriving: bool) -> float:
    """How fast it climbed or sank there, within what is believed; the usual where nothing tells."""
    least, usual, most = believed
    near = np.abs(track.time_s - track.time_s[at]) <= _RATE_S
    near &= np.arange(len(track)) <= at if arriving else np.arange(len(track)) >= at
    near &= ~np.isnan(track.altitude_ft)
    rows = np.flatnonzero(near)
    if len(rows) < 2:
        return usual
    minutes = (track.time_s[rows[-1]] - track.time_s[rows[0]]) / 60
    feet = abs(track.altitude_ft[rows[-1]] - track.altitude_ft[rows[0]])
    return float(np.clip(feet / minutes, least, most)) if minutes > 0 else usual


def _moment(air_s: float, way_s: float | None, ground_s: float | None, *, sign: int) -> Moment | None:
    hole_s = math.inf if ground_s is None else abs(ground_s - air_s)
    if way_s is None and ground_s is None:
        return None
    way_s = hole_s / 2 if way_s is None else min(way_s, hole_s)
    most = _UNSEEN_LANDINGS_RIGHT if sign > 0 and hole_s > _SEEN_S else _RIGHT
    return Moment(time_s=air_s + sign * way_s, confidence=_confidence(min(hole_s / 2, 20 + 0.5 * way_s), most))


def _confidence(expected_error_s: float, most: float) -> float:
    return most / (1 + math.exp(min((expected_error_s - _HALF_RIGHT_S) / _SPREAD_S, 700)))


def band_seconds(track: Track, in_air: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Seconds on the ground, in each altitude band, and unknown: together the duration.

    Between two reports of an altitude it is taken to climb or sink evenly; across a gap nobody knows.
    """
    bands = {"on_ground": 0.0, **dict.fromkeys(band_names(), 0.0), "unknown": 0.0}
    if len(track) == 0:
        return bands
    total = float(track.time_s[-1] - track.time_s[0])
    rows = np.flatnonzero(~np.isnan(track.altitude_ft) | ~in_air)
    leg_s = np.diff(track.time_s[rows])
    near = leg_s <= GAP_S
    on_ground = ~in_air[rows[:-1]] & ~in_air[rows[1:]]
    bands["on_ground"] = float(leg_s[near & on_ground].sum())
    begin, end = track.altitude_ft[rows[:-1]], track.altitude_ft[rows[1:]]
    flying = near & ~on_ground & ~np.isnan(begin + end)
    begin, end, leg_s = begin[flying], end[flying], leg_s[flying]
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    edges = (-math.inf, *BANDS_FT, math.inf)
    for name, floor, ceiling in zip(band_names(), edges[:-1], edges[1:], strict=True):
        inside = np.minimum(high, ceiling) - np.maximum(low, floor)
        share = np.where(
            high > low, np.clip(inside, 0, None) / np.where(high > low, high - low, 1), (low >= floor) & (low < ceiling)
        )
        bands[name] = float((leg_s * share).sum())
    bands["unknown"] = max(0.0, total - sum(bands.values()))
    return bands


def band_names() -> list[str]:
    """Names of the altitude bands, lowest first."""
    return ["below_3000_ft", "from_3000_ft", "from_10000_ft", "from_25000_ft", "from_35000_ft"]


def gaps(track: Track) -> list[Gap]:
    """The stretches without reports."""
    return [
        Gap(
            from_s=float(track.time_s[row]),
            to_s=float(track.time_s[row + 1]),
            distance_nm=geodesic_nm(
                track.latitude[row], track.longitude[row], track.latitude[row + 1], track.longitude[row + 1]
            ),
        )
        for row in np.flatnonzero(np.diff(track.time_s) > GAP_S).tolist()
    ]
