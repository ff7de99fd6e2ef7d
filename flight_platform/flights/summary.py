"""A flight in one record: what its reports say, and what is inferred from them, each with a confidence.

    track ──► phases (in the air, bands, gaps) ──► airports at both ends ──► take-off and landing ──► Summary

Pure: the same reports and airports give the same record. Which flights are looked at, and where the record is kept, is
the matter of `history/flights.py`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.flights.airports import Airports, Guess
from flight_platform.flights.phases import (
    GAP_S,
    Airborne,
    Gap,
    Moment,
    airborne,
    band_seconds,
    end_of,
    gaps,
    landing,
    take_off,
)
from flight_platform.flights.track import Floats, Track, legs_nm, without_spikes

SILENCE_S: Final = 3_600.0  # a flight of which nothing came for so long has ended, as far as we know


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is known of one flight. None is unknown; times are Unix seconds."""

    flight_id: int
    first_s: float
    last_s: float
    positions: int
    callsign: str | None
    callsigns: tuple[str, ...]
    first_latitude: float
    first_longitude: float
    last_latitude: float
    last_longitude: float
    south: float
    west: float  # greater than east where it crosses the antimeridian
    north: float
    east: float
    departure: Guess | None
    take_off: Moment | None
    arrival: Guess | None
    landing: Moment | None
    distance_nm: float
    average_ground_speed_kt: float | None
    max_ground_speed_kt: float | None
    max_altitude_ft: int | None
    band_s: dict[str, float]
    gaps: tuple[Gap, ...]


def summarise(flight_id: int, track: Track, callsigns: npt.NDArray[Any], airports: Airports, *, ended: bool) -> Summary:
    """The record of a flight from all of its reports in order of time.

    `callsigns` is one a report, empty bytes where it tells none. Where it has not `ended`, the last report is not taken
    for its arrival.
    """
    track = without_spikes(track)
    flown = airborne(track)
    told = _callsigns(callsigns)
    ends = _Ends.of(track, flown, airports, ended=ended) if flown else _Ends()
    in_air = flown.mask if flown else np.zeros(len(track), dtype=bool)
    altitude = _greatest(track.altitude_ft)
    west, east = _edges(track.longitude)
    return Summary(
        flight_id=flight_id,
        first_s=float(track.time_s[0]),
        last_s=float(track.time_s[-1]),
        positions=len(track),
        callsign=told[-1] if told else None,
        callsigns=told,
        first_latitude=float(track.latitude[0]),
        first_longitude=float(track.longitude[0]),
        last_latitude=float(track.latitude[-1]),
        last_longitude=float(track.longitude[-1]),
        south=float(track.latitude.min()),
        west=west,
        north=float(track.latitude.max()),
        east=east,
        departure=ends.departure,
        take_off=ends.take_off,
        arrival=ends.arrival,
        landing=ends.landing,
        distance_nm=float(legs_nm(track.latitude, track.longitude).sum()),
        average_ground_speed_kt=_average_speed(track),
        max_ground_speed_kt=_greatest(track.ground_speed_kt),
        max_altitude_ft=None if altitude is None else int(altitude),
        band_s=band_seconds(track, in_air),
        gaps=tuple(gaps(track)),
    )


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where and when a flight left the ground and came back."""

    departure: Guess | None = None
    take_off: Moment | None = None
    arrival: Guess | None = None
    landing: Moment | None = None

    @classmethod
    def of(cls, track: Track, flown: Airborne, airports: Airports, *, ended: bool) -> "_Ends":
        departure = _sure(airports.guess(end_of(track, flown, arriving=False)))
        off = take_off(track, flown, departure)
        came_down = flown.last + 1 < len(track)
        if not (ended or came_down):
            return cls(departure, off)
        arrival = _sure(airports.guess(end_of(track, flown, arriving=True)))
        return cls(departure, off, arrival, landing(track, flown, arrival))


def _sure(guess: Guess | None) -> Guess | None:
    return guess if guess is not None and guess.is_sure else None


def _edges(longitude: Floats) -> tuple[float, float]:
    """The western and the eastern edge of a track, which may cross the antimeridian."""
    if len(longitude) > 1 and np.abs(np.diff(longitude)).max() > 180:
        turned = longitude % 360
        return (float(turned.min()) + 180) % 360 - 180, (float(turned.max()) + 180) % 360 - 180
    return float(longitude.min()), float(longitude.max())


def _callsigns(told: npt.NDArray[Any]) -> tuple[str, ...]:
    """The different callsigns of a flight, the one that it told last at the end."""
    known = told[told != b""]
    changes = known[np.concatenate([[True], known[1:] != known[:-1]])] if len(known) else known
    latest = {bytes(text).decode("utf-8", "replace"): n for n, text in enumerate(changes)}
    return tuple(sorted(latest, key=latest.__getitem__))


def _greatest(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else None


def _average_speed(track: Track) -> float | None:
    """Reported ground speeds weighted by time, over legs without a gap; their plain mean where there is no such leg."""
    speed = track.ground_speed_kt
    leg_s = np.diff(track.time_s)
    leg_kt = (speed[1:] + speed[:-1]) / 2
    used = (leg_s <= GAP_S) & ~np.isnan(leg_kt)
    if used.any() and leg_s[used].sum() > 0:
        return float((leg_kt[used] * leg_s[used]).sum() / leg_s[used].sum())
    known = speed[~np.isnan(speed)]
    return float(known.mean()) if len(known) else None
