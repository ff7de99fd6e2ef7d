"""The track of one flight as arrays, and the geometry that reasoning about it needs.

What a track says of the flight is in `phases.py`, `airports.py` and `summary.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
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
_E2: Final = 6.694379990141316e-3
# Up to here a leg is a straight line in the ellipsoid's two radii at its middle (within 1e-6 of the geodesic below 70
# degrees of latitude); beyond, geographiclib, which takes 0.1 ms for each.
_SHORT_LEG_DEG: Final = 0.1
_POLAR_DEG: Final = 70.0


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


def stretches(ids: npt.NDArray[Any]) -> Iterator[slice]:
    """The rows of each flight where the rows are sorted by flight."""
    if len(ids) == 0:
        return
    bounds = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)]
    for start, stop in pairwise(bounds):
        yield slice(start, stop)


def _known(columns: Columns, name: str) -> Floats:
    return np.where(columns.known[name], columns[name].astype("f8"), np.nan)


def around(latitude: float, longitude: float, latitudes: Any, longitudes: Any) -> tuple[Floats, Floats]:
    """Where places lie as seen from one: nautical miles to the east and to the north. For tens of miles, not more."""
    east_deg = (np.asarray(longitudes) - longitude + 180.0) % 360.0 - 180.0
    east = east_deg * np.cos(np.radians((np.asarray(latitudes) + latitude) / 2)) * _NM_A_DEGREE
    return east, (np.asarray(latitudes) - latitude) * _NM_A_DEGREE


def turn_deg(one: Any, other: Any) -> Any:
    """The angle between two directions, 0 to 180 degrees."""
    return np.abs((np.asarray(one) - other + 180.0) % 360.0 - 180.0)


def legs_nm(latitude: Floats, longitude: Floats) -> Floats:
    """The lengths of the legs between consecutive positions on the WGS 84 ellipsoid."""
    if len(latitude) < 2:
        return np.zeros(0)
    middle = np.radians((latitude[1:] + latitude[:-1]) / 2)
    north = np.radians(np.diff(latitude))
    east = np.radians((np.diff(longitude) + 180.0) % 360.0 - 180.0)
    bulge = 1 - _E2 * np.sin(middle) ** 2
    north_m = north * _EQUATOR_M * (1 - _E2) / bulge**1.5
    east_m = east * _EQUATOR_M * np.cos(middle) / np.sqrt(bulge)
    legs: Floats = np.hypot(north_m, east_m) / NM_M
    far = np.maximum(np.abs(north), np.abs(east)) > np.radians(_SHORT_LEG_DEG)
    for leg in np.flatnonzero(far | (np.abs(latitude[1:]) > _POLAR_DEG) & (legs > 0)):
        legs[leg] = geodesic_nm(latitude[leg], longitude[leg], latitude[leg + 1], longitude[leg + 1])
    return legs


def geodesic_nm(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """The shortest way between two places on the WGS 84 ellipsoid."""
    found = _geodesic().Inverse(latitude, longitude, latitude2, longitude2, Geodesic.DISTANCE)
    return float(found["s12"]) / NM_M


@cache
def _geodesic() -> Any:
    return Geodesic.WGS84
