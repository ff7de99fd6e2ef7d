"""The workload: real tracks, or generated ones like them, multiplied in space with distinct addresses.

    recording | generated ──► stretches (one aircraft, one report a second) ──► Fleet: any number of aircraft

Each aircraft of the fleet flies one stretch on another meridian: moved in longitude alone, so that its speeds, turns
and rates stay those that were flown. What time a report carries is the caller's matter.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from flight_platform.model import Kind, Position
from streaming.sources.recordings import open_recording

LENGTH: Final = 240  # reports of a stretch, a second apart
TICKS: Final = LENGTH // 2  # of these an aircraft reports at most so many: copies begin at different ones
SOURCE: Final = "bench"
_MOST_STRETCHES: Final = 400
_LONGEST_GAP_MS: Final = 2_000
FIRST_ADDRESS: Final = 0x010000
_METRES_A_DEGREE: Final = 111_195.0
_KNOT_M_S: Final = 0.514444

# latitude, longitude, altitude_ft, geometric_altitude_ft, on_ground, ground_speed_kt, track_deg, vertical_rate_fpm,
# callsign, squawk
Row = tuple[
    float,
    float,
    int | None,
    int | None,
    bool | None,
    float | None,
    float | None,
    int | None,
    str | None,
    str | None,
]
Stretch = list[Row]


def recorded(path: Path) -> list[Stretch]:
    """Stretches of a recording that have a report about every second."""
    runs: dict[str, list[Position]] = {}
    stretches: list[Stretch] = []
    for batch in open_recording(path, name=SOURCE).batches():
        for position in batch.positions:
            run = runs.setdefault(position.icao24, [])
            if run and not 0 < position.time - run[-1].time <= _LONGEST_GAP_MS:
                run.clear()
            run.append(position)
            if len(run) == LENGTH:
                stretches.append([_row(report) for report in run])
                run.clear()
                if len(stretches) == _MOST_STRETCHES:
                    return stretches
    return stretches


def _row(report: Position) -> Row:
    return (
        report.latitude,
        report.longitude,
        report.altitude_ft,
        report.geometric_altitude_ft,
        report.on_ground,
        report.ground_speed_kt,
        report.track_deg,
        report.vertical_rate_fpm,
        report.callsign,
        report.squawk,
    )


def generated(count: int = 200, seed: int = 1) -> list[Stretch]:
    """Stretches as airliners fly them: climb, cruise, turn and descent, each beginning at another phase."""
    chance = random.Random(seed)  # noqa: S311  # no secret: the same tracks each time
    return [_fly(chance, number) for number in range(count)]


def _fly(chance: random.Random, number: int) -> Stretch:
    latitude, longitude = chance.uniform(40, 58), chance.uniform(-8, 18)
    altitude, speed, track = chance.uniform(3_000, 30_000), chance.uniform(220, 440), chance.uniform(0, 360)
    phases = [("climb", 2_200.0, 0.0), ("cruise", 0.0, 0.0), ("turn", 0.0, 1.5), ("descend", -1_800.0, 0.0)]
    first = chance.randrange(len(phases))
    rows: Stretch = []
    for second in range(LENGTH):
        name, rate_fpm, turn_deg_s = phases[(first + second * len(phases) // LENGTH) % len(phases)]
        altitude = min(max(altitude + rate_fpm / 60, 2_000), 41_000)
        speed = min(max(speed + {"climb": 0.5, "descend": -0.5}.get(name, 0), 180), 480)
        track = (track + turn_deg_s) % 360
        way_deg = speed * _KNOT_M_S / _METRES_A_DEGREE
        latitude += way_deg * math.cos(math.radians(track))
        longitude += way_deg * math.sin(math.radians(track)) / math.cos(math.radians(latitude))
        rows.append(
            (
                round(latitude, 7),
                round(longitude, 7),
                round(altitude / 25) * 25,
                round(altitude / 25) * 25 + 150,
                False,
                round(speed, 1),
                round(track, 1) % 360,
                round(rate_fpm / 64) * 64,
                f"BEN{number}",
                f"{1000 + number % 6 * 111}",
            )
        )
    return rows


def save(stretches: list[Stretch], path: Path) -> None:
    """Keeps stretches for the processes of a run."""
    path.write_text(json.dumps(stretches))


def load(path: Path) -> list[Stretch]:
    """The stretches that `save` kept."""
    return [[tuple(row) for row in stretch] for stretch in json.loads(path.read_text())]


@dataclass(frozen=True, slots=True)
class Aircraft:
    """One aircraft of the fleet."""

    icao24: str
    rows: Stretch
    start: int
    east_deg: float

    def report(self, tick: int, time_ms: int, received_ms: int) -> Position:
        """Its report number `tick` (less than TICKS)."""
        row = self.rows[self.start + tick]
        east = row[1] + self.east_deg
        return Position(
            icao24=self.icao24,
            time=time_ms,
            received_at=received_ms,
            latitude=row[0],
            longitude=round(east - 360 if east >= 180 else east, 7),
            altitude_ft=row[2],
            geometric_altitude_ft=row[3],
            on_ground=row[4],
            ground_speed_kt=row[5],
            track_deg=row[6],
            vertical_rate_fpm=row[7],
            callsign=row[8],
            squawk=row[9],
            kind=Kind.ADSB,
            source=SOURCE,
        )


class Fleet:
    """So many aircraft over these stretches; the same ones each time."""

    def __init__(self, stretches: list[Stretch], aircraft: int, first_address: int = FIRST_ADDRESS) -> None:
        copies = -(-aircraft // len(stretches))
        self.aircraft = [
            Aircraft(
                icao24=f"{first_address + number:06x}",
                rows=stretches[number % len(stretches)],
                start=number // len(stretches) * 13 % TICKS,
                east_deg=360 / copies * (number // len(stretches)),
            )
            for number in range(aircraft)
        ]

    def __len__(self) -> int:
        return len(self.aircraft)

    def ticks(self, first: int, stop: int, start_ms: int) -> Iterator[Position]:
        """All reports of ticks `first` to `stop`, in the order of time; tick 0 is at `start_ms`."""
        size = len(self.aircraft)
        for tick in range(first, stop):
            for number, aircraft in enumerate(self.aircraft):
                time_ms = start_ms + tick * 1000 + number * 1000 // size
                yield aircraft.report(tick, time_ms, time_ms)


def longest_step_m(stretch: Stretch) -> float:
    """The longest way between two reports, metres: what tells a track from random points."""
    steps = (
        math.hypot(b[0] - a[0], (b[1] - a[1]) * math.cos(math.radians(a[0]))) * _METRES_A_DEGREE
        for a, b in pairwise(stretch)
    )
    return max(steps)
