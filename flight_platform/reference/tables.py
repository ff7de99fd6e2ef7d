"""Loads reference files into the tables of schema `reference`, each as a whole, in one transaction.

Readers see the old rows or the new ones, never neither. What is in a file is the matter of `airports.py`,
`aircraft.py` and `runways.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from flight_platform.history.sql import query
from flight_platform.reference.aircraft import read_aircraft
from flight_platform.reference.airports import airport_rows
from flight_platform.reference.files import ReferenceFileError, open_text
from flight_platform.reference.runways import read_runways


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a file has brought."""

    table: str
    rows: int
    provider: str


def load_file(connection: psycopg.Connection, path: Path) -> Loaded:
    """Loads a file of aircraft or runways, told apart by its first line."""
    with open_text(path) as file:
        first_line = file.readline(10_000)
    return load_runways(connection, path) if "airport_ident" in first_line else load_aircraft(connection, path)


def load_airports(connection: psycopg.Connection) -> Loaded:
    """Replaces the airports by those of the package `airportsdata`."""
    return Loaded(
        table="reference.airports",
        rows=_replace(connection, "airports", airport_rows(), "airportsdata"),
        provider="airportsdata",
    )


def load_aircraft(connection: psycopg.Connection, path: Path) -> Loaded:
    """Replaces the aircraft by those of a file of Mictronics or OpenSky."""
    aircraft = list(read_aircraft(path))
    rows = _replace(connection, "aircraft", aircraft, path)
    return Loaded(table="reference.aircraft", rows=rows, provider=aircraft[0].provider)


def load_runways(connection: psycopg.Connection, path: Path) -> Loaded:
    """Replaces the runways by those of a file of OurAirports."""
    # Some fields have two runways of one name: the longer one stays.
    longest = {(r.airport, r.name): r for r in sorted(read_runways(path), key=lambda r: r.length_ft)}
    rows = ((r.airport, r.name, round(r.length_ft), r.latitude, r.longitude, r.heading_deg) for r in longest.values())
    return Loaded(table="reference.runways", rows=_replace(connection, "runways", rows, path), provider="ourairports")


def _replace(connection: psycopg.Connection, name: str, rows: Iterable[Sequence[object]], origin: object) -> int:
    """Puts these rows in the place of all that the table holds; an empty file changes nothing."""
    count = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(query(f"{name}_clear"))
        with cursor.copy(query(f"{name}_copy")) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        if count == 0:
            raise ReferenceFileError(f"{origin} holds no {name}: the table stays as it was")
    return count
