"""Where every flight was at one time, and what filters ask about it, as columns in the order of flight ids.

A snapshot's frame outlives it: a stream that is resumed is told what has changed since an older one. Which flights of a
frame somebody wants to see is the matter of `selection.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flight_platform.model import Position
from serving.parameters import Box

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_NO_SOURCE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All flights at one time. An unknown number is NaN, which no comparison finds; an unknown callsign is empty."""

    time_ms: int
    flight_ids: Array
    times: Array
    latitudes: Array
    longitudes: Array
    altitudes_ft: Array
    ground_speeds_kt: Array
    on_ground: Array
    kinds: Array
    callsigns: Array
    sources: Array  # by number: source_numbers says which name has which
    source_numbers: dict[str | None, int]

    @classmethod
    def of(cls, positions: Sequence[Position], time_ms: int) -> "Frame":
        """The frame of these positions, which are in the order of flight ids."""
        numbers: dict[str | None, int] = {}
        return cls(
            time_ms=time_ms,
            flight_ids=np.array([position.flight_id or 0 for position in positions], dtype="i8"),
            times=np.array([position.time for position in positions], dtype="i8"),
            latitudes=np.array([position.latitude for position in positions], dtype="f8"),
            longitudes=np.array([position.longitude for position in positions], dtype="f8"),
            altitudes_ft=np.array([position.altitude_ft for position in positions], dtype="f4"),
            ground_speeds_kt=np.array([position.ground_speed_kt for position in positions], dtype="f8"),
            on_ground=np.array([position.on_ground for position in positions], dtype="f4"),
            kinds=np.array([position.kind for position in positions], dtype="f4"),
            callsigns=np.array([(position.callsign or "").encode() for position in positions], dtype="S8"),
            sources=np.array([numbers.setdefault(position.source, len(numbers)) for position in positions], dtype="i2"),
            source_numbers=numbers,
        )

    def at(self, places: Array) -> "Frame":
        """The flights at these places alone."""
        return Frame(
            time_ms=self.time_ms,
            flight_ids=self.flight_ids[places],
            times=self.times[places],
            latitudes=self.latitudes[places],
            longitudes=self.longitudes[places],
            altitudes_ft=self.altitudes_ft[places],
            ground_speeds_kt=self.ground_speeds_kt[places],
            on_ground=self.on_ground[places],
            kinds=self.kinds[places],
            callsigns=self.callsigns[places],
            sources=self.sources[places],
            source_numbers=self.source_numbers,
        )

    def within(self, box: Box | None) -> Mask:
        """Which flights lie in a box; None is everywhere."""
        if box is None:
            return np.ones(len(self.flight_ids), dtype=bool)
        inside: Mask = (self.latitudes >= box.south) & (self.latitudes <= box.north)
        if box.west <= box.east:
            inside &= (self.longitudes >= box.west) & (self.longitudes <= box.east)
        else:
            inside &= (self.longitudes >= box.west) | (self.longitudes <= box.east)
        return inside

    def called(self, prefix: str) -> Mask:
        """Which callsigns begin so."""
        cut: Mask = self.callsigns.astype(f"S{len(prefix)}") == prefix.encode()
        return cut

    def from_source(self, name: str) -> Mask:
        """Which reports a feed took."""
        taken: Mask = self.sources == self.source_numbers.get(name, _NO_SOURCE)
        return taken
