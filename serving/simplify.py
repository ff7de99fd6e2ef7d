"""Fewer points of a track within a stated error: at the time of each point left out, the straight way between the two
points kept around it is within so many metres and feet of where it was.

That is Douglas-Peucker with the distance at the same instant (Meratnia and de By, "Spatiotemporal compression
techniques for moving point objects", 2004: TD-TR), so that speeds stay true and not the shape alone. Pure.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from flight_platform.history.table import Row

_Row = TypeVar("_Row", bound=Row)
Array = npt.NDArray[np.float64]

_EARTH_RADIUS_M: Final = 6_371_008.8


def simplified(rows: Sequence[_Row], error_m: float, error_ft: float) -> list[_Row]:
    """The rows that are enough; the first and the last always are. Rows are in order of time.

    A point whose altitude is unknown is held to the metres alone, and so is one between two such.
    """
    if len(rows) < 3:
        return list(rows)
    times = np.array([row["time"].timestamp() for row in rows])
    places = _on_sphere(rows)
    altitudes = np.array([np.nan if row["altitude_ft"] is None else row["altitude_ft"] for row in rows], dtype=float)
    keep = np.zeros(len(rows), dtype=bool)
    keep[[0, -1]] = True
    stretches = [(0, len(rows) - 1)]
    while stretches:
        first, last = stretches.pop()
        if last - first < 2:
            continue
        worst, excess = _worst(times, places, altitudes, first, last, error_m, error_ft)
        if excess > 1:
            keep[worst] = True
            stretches += [(first, worst), (worst, last)]
    return [row for row, is_kept in zip(rows, keep.tolist(), strict=True) if is_kept]


def _on_sphere(rows: Sequence[Row]) -> Array:
    """Points on the sphere, metres: no antimeridian, no poles."""
    latitude = np.radians([row["latitude"] for row in rows])
    longitude = np.radians([row["longitude"] for row in rows])
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.column_stack([x, y, np.sin(latitude)]) * _EARTH_RADIUS_M


def _on_great_circle(start: Array, end: Array, share: Array) -> Array:
    """The places at these shares of the way along the great circle: evenly in angle, which a chord is not."""
    angle = np.arccos(np.clip(start @ end / _EARTH_RADIUS_M**2, -1, 1))
    if angle < 1e-9:
        return np.broadcast_to(start, (len(share), 3))
    toward = (end - start * np.cos(angle)) / np.sin(angle)
    turned = (share * angle)[:, None]
    return start * np.cos(turned) + toward * np.sin(turned)


def _worst(
    times: Array, places: Array, altitudes: Array, first: int, last: int, error_m: float, error_ft: float
) -> tuple[int, float]:
    """The point between two that is furthest off, and by how many times the bound."""
    inner = slice(first + 1, last)
    span = times[last] - times[first]
    share = (times[inner] - times[first]) / span if span > 0 else np.zeros(last - first - 1)
    between = _on_great_circle(places[first], places[last], share)
    aside = np.linalg.norm(places[inner] - between, axis=1) / error_m
    level = altitudes[first] + share * (altitudes[last] - altitudes[first])
    above = np.nan_to_num(np.abs(altitudes[inner] - level) / error_ft, nan=0.0)
    excess = np.maximum(aside, above)
    place = int(np.argmax(excess))
    return first + 1 + place, float(excess[place])
