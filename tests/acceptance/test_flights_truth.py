"""The promise: the airport of an end that is covered below 3,000 ft is right; elsewhere none is named, not a wrong one.
And a confidence is the share that is right.

Judged on whole flights whose truth is known: San Francisco's, about one report a minute, and a day of others, about one
in twelve seconds. The truth of take-off and landing comes in whole minutes.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import airportsdata
import numpy as np
import pyarrow.parquet as pq
import pytest

from flight_platform.flights.airports import Airport, Airports
from flight_platform.flights.phases import airborne, end_of
from flight_platform.flights.summary import summarise
from flight_platform.flights.track import UNTOLD, Floats, Track, around
from flight_platform.reference.runways import read_runways

pytestmark = pytest.mark.acceptance

EVERY = 4  # one San Francisco flight in so many, to be quick; all of them give the figures of docs/flights.md
COVERED_FT = 3_000
NEAR_NM = 25
TIMELY_S = 120  # what the confidence of a time promises


@dataclass(frozen=True)
class Truth:
    """A flight's reports and what is known of it; NaN where no time is known."""

    track: Track
    airports: tuple[str, str]  # ICAO, of departure and arrival
    times: tuple[float, float]  # take-off and landing, Unix seconds


@pytest.fixture(scope="module")
def fields() -> list[Airport]:
    return [
        Airport(
            icao=entry["icao"],
            iata=entry["iata"] or None,
            name=entry["name"],
            latitude=entry["lat"],
            longitude=entry["lon"],
            elevation_ft=entry["elevation"],
        )
        for entry in airportsdata.load("ICAO").values()
    ]


@pytest.fixture(scope="module")
def san_francisco(shared_data: Path) -> list[Truth]:
    folder = shared_data / "flights"
    known = {
        row["id"]: row for row in pq.read_table(folder / "sfo-202003-d01-09.truth.parquet").to_pylist() if row["clean"]
    }
    chosen = dict(sorted(known.items())[::EVERY])
    reports: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    columns = ["id", "ts", "lat", "lon", "alt_raw", "spd_kt"]
    for row in pq.read_table(folder / "sfo-202003-d01-09.tracks.parquet", columns=columns).to_pylist():
        if row["id"] in chosen:
            hundreds = re.match(r"\d+", row["alt_raw"] or "")
            feet = int(hundreds[0]) * 100 if hundreds else np.nan
            reports[row["id"]].append((row["ts"], row["lat"], row["lon"], feet, row["spd_kt"], np.nan))
    return [
        Truth(
            made(reports[number]),
            (row["origin"], row["destination"]),
            (float(row["takeoff_ts"]), float(row["landing_ts"])),
        )
        for number, row in chosen.items()
    ]


@pytest.fixture(scope="module")
def others(shared_data: Path, fields: list[Airport]) -> list[Truth]:
    """Those whose airports still have the code that they had in 2017: Istanbul and Berlin have new airports."""
    icao = {field.iata: field.icao for field in fields}
    folder = shared_data / "flights"
    found = []
    for row in csv.DictReader((folder / "20170205_flights.csv").read_text().splitlines()):
        with (folder / "20170205_positions" / f"20170205_{row['flight_id']}.csv").open() as file:
            names = ("snapshot_id", "latitude", "longitude", "altitude", "speed", "heading")
            reports = [tuple(float(report[name]) for name in names) for report in csv.DictReader(file)]
        ends = tuple(
            "" if code in {"IST", "SXF"} else icao.get(code, "") for code in (row["schd_from"], row["real_to"])
        )
        found.append(Truth(made(reports), (ends[0], ends[1]), (np.nan, np.nan)))
    return found


def made(reports: list[tuple[float, ...]]) -> Track:
    """A track of reports of time, latitude, longitude, altitude, speed and course; one for each time."""
    rows = np.array(sorted({row[0]: row for row in reports}.values()), dtype="f8")
    nothing = np.full(len(rows), np.nan)
    time_s, latitude, longitude, altitude_ft, speed, course = rows.T
    return Track(
        time_s, latitude, longitude, altitude_ft, speed, course, nothing, np.full(len(rows), UNTOLD, dtype="i1")
    )


@dataclass(frozen=True)
class Judged:
    """One end: whether it was covered, what was named, whether that was right, the error of the time; confidences."""

    arriving: bool
    covered: bool
    named: bool
    right: bool
    confidence: float  # in the airport
    error_s: float
    time_confidence: float


def judged(flights: list[Truth], world: Airports) -> Iterator[Judged]:
    place = {icao: number for number, icao in enumerate(world.icao)}
    for truth in flights:
        flown = airborne(truth.track)
        assert flown is not None
        summary = summarise(1, truth.track, np.full(len(truth.track), b""), world, ended=True)
        named = (summary.departure, summary.arrival)
        moments = (summary.take_off, summary.landing)
        for arriving in (False, True):
            field = place.get(truth.airports[arriving])
            if field is None:
                continue
            end = end_of(truth.track, flown, arriving=arriving)
            east, north = around(end.latitude, end.longitude, world.latitude[field], world.longitude[field])
            low = end.on_ground or end.altitude_ft - world.elevation_ft[field] < COVERED_FT
            guess, moment = named[arriving], moments[arriving]
            yield Judged(
                arriving=arriving,
                covered=bool(low and np.hypot(east, north) < NEAR_NM),
                named=guess is not None,
                right=guess is not None and guess.icao == truth.airports[arriving],
                confidence=np.nan if guess is None else guess.confidence,
                error_s=np.nan if moment is None else abs(moment.time_s - truth.times[arriving]),
                time_confidence=np.nan if moment is None else moment.confidence,
            )


def share_right(ends: list[Judged]) -> float:
    return sum(end.right for end in ends) / len(ends)


def calibration_error(confidence: list[float], right: list[bool]) -> float:
    """How far confidences are from the share that is right, mean over ten bins (expected calibration error)."""
    told, found = np.array(confidence), np.array(right, dtype="f8")
    place = np.minimum((told * 10).astype("i8"), 9)
    off = np.bincount(place, told - found)
    return float(np.abs(off).sum() / len(told))


@pytest.mark.parametrize("with_runways", [False, True])
def test_airports_and_times_of_san_franciscos_flights(
    san_francisco: list[Truth], fields: list[Airport], shared_data: Path, with_runways: bool
) -> None:
    runways = read_runways(shared_data / "reference" / "ourairports-runways.csv.gz") if with_runways else ()
    ends = list(judged(san_francisco, Airports(fields, runways)))
    covered = [end for end in ends if end.covered]
    assert len(covered) > 1_000
    assert share_right(covered) >= 0.97
    wrong = [end for end in ends if end.named and not end.right]
    assert len(wrong) / len(ends) <= 0.005  # the truth itself is wrong in some: first seen 800 miles from it
    errors: Floats = np.array([end.error_s for end in ends])
    assert np.nanmedian(errors) <= 120
    assert np.isnan(errors).mean() < 0.2
    named = [end for end in ends if end.named]
    assert calibration_error([end.confidence for end in named], [end.right for end in named]) <= 0.003
    for arriving, most in ((False, 0.015), (True, 0.03)):
        timed = [end for end in ends if end.arriving is arriving and not np.isnan(end.error_s)]
        in_time = [bool(end.error_s <= TIMELY_S) for end in timed]
        assert calibration_error([end.time_confidence for end in timed], in_time) <= most


def test_airports_of_other_flights(others: list[Truth], fields: list[Airport]) -> None:
    ends = list(judged(others, Airports(fields)))
    covered = [end for end in ends if end.covered]
    assert len(covered) > 25
    assert share_right(covered) >= 0.97
    assert not [end for end in ends if end.named and not end.right]
