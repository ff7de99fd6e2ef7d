"""Hand-made flights: a track from a few points in time, and a small world of fields."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flight_platform.flights.airports import Airport, Airports, Runway
from flight_platform.flights.track import UNTOLD, Track

NORTH = Airport(icao="AANN", iata="NNN", name="North", latitude=50.0, longitude=8.0, elevation_ft=300)
SOUTH = Airport(icao="AASS", iata="SSS", name="South", latitude=48.0, longitude=8.0, elevation_ft=1_500)
NEAR_SOUTH = Airport(icao="AAST", iata="SST", name="South Two", latitude=48.0, longitude=8.06, elevation_ft=1_500)
STRIP = Airport(icao="AAS1", iata=None, name="A strip", latitude=48.03, longitude=8.03, elevation_ft=1_500)
WORLD = Airports([NORTH, SOUTH, STRIP])


def runway(field: Airport, heading_deg: float, length_ft: float = 9_000) -> Runway:
    """One direction of a runway whose middle is the middle of the field."""
    half_deg = length_ft / 6076 / 2 / 60
    east, north = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
    return Runway(
        airport=field.icao,
        name=f"{round(heading_deg / 10):02d}",
        length_ft=length_ft,
        latitude=field.latitude - half_deg * north,
        longitude=field.longitude - half_deg * east / math.cos(math.radians(field.latitude)),
        heading_deg=heading_deg,
    )


def track(**columns: Sequence[float | None] | None) -> Track:
    """A track from columns; what is absent or None is unknown. `time_s` and `latitude` must be there."""
    size = len(columns["time_s"] or ())

    def floats(name: str) -> Any:
        values = columns.get(name) or [None] * size
        return np.array([math.nan if value is None else value for value in values], dtype="f8")

    ground = columns.get("told_ground") or [UNTOLD] * size
    names = ("time_s", "latitude", "longitude", "altitude_ft", "ground_speed_kt", "track_deg", "vertical_rate_fpm")
    return Track(told_ground=np.array(ground, dtype="i1"), **{name: floats(name) for name in names})


def hop(step_s: float = 10.0, cruise_ft: float = 20_000, pressure_ft: float = 0) -> Track:
    """North to South without word of the ground: take-off at 60 s, 720 ft/nm up, cruise, 3 degrees down, a taxi.

    It flies 240 kt, due south along the meridian of both fields, and touches down a mile before the middle.
    """
    up_nm = (cruise_ft - 300) / 720
    down_nm = (cruise_ft - 1_500) / 318
    way_nm = 120 - 0.3 - 1.0
    knots = 240.0
    assert way_nm > up_nm + down_nm
    air_s = way_nm / knots * 3600
    end_s = 60 + air_s + 120
    rows = []
    for second in np.arange(0, end_s + 1, step_s).tolist():
        flown_nm = min(max(second - 60, 0.0) * knots / 3600, way_nm)
        latitude = 50.0 - (0.3 + flown_nm) / 60
        to_go = way_nm - flown_nm
        on_ground = second < 60 or to_go <= 0
        feet = min(300 + flown_nm * 720, cruise_ft, 1_500 + to_go * 318) + pressure_ft
        rows.append((float(second), latitude, 8.0, feet, 15.0 if on_ground else knots, 180.0))
    columns = dict(
        zip(
            ("time_s", "latitude", "longitude", "altitude_ft", "ground_speed_kt", "track_deg"),
            map(list, zip(*rows, strict=True)),
            strict=True,
        )
    )
    return track(**columns)


HOP_LANDS_S = 60 + (120 - 1.3) / 240 * 3600


def cut(whole: Track, from_s: float = -math.inf, to_s: float = math.inf) -> Track:
    """The reports within these times."""
    rows = np.flatnonzero((whole.time_s >= from_s) & (whole.time_s <= to_s))
    return whole.part(slice(int(rows[0]), int(rows[-1]) + 1))
