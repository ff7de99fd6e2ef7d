"""The track of one flight as arrays, and the geometry that reasoning about it needs.

What a track says of the flight is in `phases.py`, `airports.py` and `summary.py`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from geographiclib.geodesic import Geodesic

from flight_platform.codec import DEGREE_STEPS, TENTH_STEPS, Columns

Floats = npt.NDArray[np.float64]

GROUND: Final = 1
AIR: Final = 0
UNTOLD: Final = -1

NM_M: Final = 1852.0
_NM_A_DEGREE: Final = 60.0  # of latitude: within 0.6 %, for looking around and not for distances flown
_EQUATOR_M: Final = 6_378_137.0  # WGS 84
_SECOND_E2: Final = 6.739496742276434e-3  # its second eccentricity, squared
# Up to here Bowring's formula for short lines is within 1e-6 of the geodesic; beyond, and it is rarely beyond,
# geographiclib, which takes 0.1 ms a leg and not 0.1 us.
_SHORT_LEG_DEG: Final = 1.5
_ALTITUDE_SLOP_FT: Final = 1_000.0  # an altitude of another sensor, or of another moment, may stand beside it
_FASTEST_FT_S: Final = 300.0  # fighters climb and dive so


@dataclass(frozen=True, slots=True)
class Track:
    """Reports in order of time. NaN is unknown; `told_ground` is GROUND, AIR or UNTOLD."""

    time_s: Floats
    latitude: Floats
    longitude: Floats
    altitude_ft: Floats
    ground_speed_kt: Floats
    track_deg: Floats
    vertical_rate_fpm: Floats
    told_ground: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.time_s)

    def part(self, rows: slice) -> "Track":
        """These rows alone."""
        return Track(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def of(cls, columns: Columns) -> "Track":
        """The rows as they stand: those of one flight, or of several one after the other, to be cut by `part`."""
        altitude = _known(columns, "altitude_ft")
        if np.isnan(altitude).any():  # the geometric altitude is a few hundred feet off, and better than none
            altitude = np.where(np.isnan(altitude), _known(columns, "geometric_altitude_ft"), altitude)
        return cls(
            time_s=columns["time"] / 1000,
            latitude=columns["latitude_e7"] / DEGREE_STEPS,
            longitude=columns["longitude_e7"] / DEGREE_STEPS,
            altitude_ft=altitude,
            ground_speed_kt=_known(columns, "ground_speed_dkt") / TENTH_STEPS,
            track_deg=_known(columns, "track_ddeg") / TENTH_STEPS,
            vertical_rate_fpm=_known(columns, "vertical_rate_fpm"),
            told_ground=np.where(columns.known["on_ground"], columns["on_ground"].astype("i1"), UNTOLD).astype("i1"),
        )


def without_spikes(track: Track) -> Track:
    """The same with those altitudes unknown that cannot be reached from any of the two before and the two after."""
    known = np.flatnonzero(~np.isnan(track.altitude_ft))
    if len(known) < 2:
        return track
    altitude, time_s = track.altitude_ft[known], track.time_s[known]
    believed = np.zeros(len(known), dtype=bool)
    for step in (1, 2):
        reach = _ALTITUDE_SLOP_FT + _FASTEST_FT_S * (time_s[step:] - time_s[:-step])
        reached = np.abs(altitude[step:] - altitude[:-step]) <= reach
        believed[step:] |= reached
        believed[:-step] |= reached
    if believed.all():
        return track
    kept = track.altitude_ft.copy()
    kept[known[~believed]] = np.nan
    return replace(track, altitude_ft=kept)


def stretches(ids: npt.NDArray[Any]) -> Iterator[slice]:
    """The rows of each flight where the rows are sorted by flight."""
    if len(ids) == 0:
        return
    bounds = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)]
    for start, stop in pairwise(bounds):
        yield slice(start, stop)


def _known(columns: Columns, name: str) -> Floats:
    return np.where(columns.known[name], columns[name].astype("f8"), np.nan)


def around(latitude: Any, longitude: Any, latitudes: Any, longitudes: Any) -> tuple[Floats, Floats]:
    """Where places lie as seen from others: nautical miles to the east and to the north. For tens of miles only."""
    east_deg = (np.asarray(longitudes) - longitude + 180.0) % 360.0 - 180.0
    east = east_deg * np.cos(np.radians((np.asarray(latitudes) + latitude) / 2)) * _NM_A_DEGREE
    return east, (np.asarray(latitudes) - latitude) * _NM_A_DEGREE


def turn_deg(one: Any, other: Any) -> Any:
    """The angle between two directions, 0 to 180 degrees."""
    return np.abs((np.asarray(one) - other + 180.0) % 360.0 - 180.0)


def legs_nm(latitude: Floats, longitude: Floats) -> Floats:
    """The lengths of the legs between consecutive positions on the WGS 84 ellipsoid."""
    phi = np.radians(latitude[:-1])
    north = np.radians(np.diff(latitude))
    east = np.radians((np.diff(longitude) + 180.0) % 360.0 - 180.0)
    legs = _short_lines_nm(phi, north, east)
    far = np.maximum(np.abs(north), np.abs(east)) > np.radians(_SHORT_LEG_DEG)
    for leg in np.flatnonzero(far).tolist():
        legs[leg] = geodesic_nm(latitude[leg], longitude[leg], latitude[leg + 1], longitude[leg + 1])
    return legs


def _short_lines_nm(phi: Floats, north: Floats, east: Floats) -> Floats:
    """Bowring's inverse formula (Survey Review 26, 1981): from a latitude so far to the north and east, radians."""
    cos2 = np.cos(phi) ** 2
    a, b = np.sqrt(1 + _SECOND_E2 * cos2**2), np.sqrt(1 + _SECOND_E2 * cos2)
    half_east = a * east / 2
    half_north = north / (2 * b) * (1 + 3 * _SECOND_E2 / (4 * b**2) * north * np.sin(2 * phi + north * 2 / 3))
    along = np.sin(half_north) * np.cos(half_east)
    across = np.sin(half_east) * (b * np.cos(phi) * np.cos(half_north) - np.sin(phi) * np.sin(half_north)) / a
    turned = 2 * np.arcsin(np.minimum(np.hypot(along, across), 1))
    lines: Floats = _EQUATOR_M * math.sqrt(1 + _SECOND_E2) * turned / b**2 / NM_M
    return lines


def geodesic_nm(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """The shortest way between two places on the WGS 84 ellipsoid."""
    found = _geodesic().Inverse(latitude, longitude, latitude2, longitude2, Geodesic.DISTANCE)
    return float(found["s12"]) / NM_M


@cache
def _geodesic() -> Any:
    return Geodesic.WGS84
