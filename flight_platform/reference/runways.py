"""OurAirports' `runways.csv` as runways: both directions of each, with thresholds and headings where it has them.

The file is public domain and the operator's to fetch; it may be packed with gzip.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from flight_platform.flights.airports import Runway
from flight_platform.flights.track import around
from flight_platform.reference.files import ReferenceFileError, open_text

_COLUMNS = {"airport_ident", "length_ft", "closed", "le_latitude_deg", "he_latitude_deg", "le_heading_degT"}


def read_runways(path: Path) -> Iterator[Runway]:
    """The open runways, a direction each; those without a place are left out."""
    with open_text(path) as file:
        rows = csv.DictReader(file)
        missing = _COLUMNS - set(rows.fieldnames or ())
        if missing:
            raise ReferenceFileError(
                f"{path} is no runways.csv of OurAirports: it has no column {', '.join(sorted(missing))}"
            )
        for row in rows:
            if row["closed"] != "1":
                yield from _both_ways(row)


def _both_ways(row: dict[str, str]) -> Iterator[Runway]:
    ends = {end: (_number(row[f"{end}_latitude_deg"]), _number(row[f"{end}_longitude_deg"])) for end in ("le", "he")}
    length_ft = _number(row["length_ft"])
    for end, other in (("le", "he"), ("he", "le")):
        (latitude, longitude), (far_latitude, far_longitude) = ends[end], ends[other]
        if latitude is None or longitude is None or length_ft is None:
            continue
        heading = _number(row[f"{end}_heading_degT"])
        if far_latitude is not None and far_longitude is not None:  # more exact than the heading that is written down
            east, north = around(latitude, longitude, far_latitude, far_longitude)
            heading = math.degrees(math.atan2(float(east), float(north))) % 360
        if heading is None:
            continue
        yield Runway(
            airport=row["airport_ident"],
            name=row[f"{end}_ident"],
            length_ft=length_ft,
            latitude=latitude,
            longitude=longitude,
            heading_deg=heading,
        )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
