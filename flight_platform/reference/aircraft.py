"""Aircraft databases as aircraft: Mictronics' JSON and OpenSky's CSV, told apart by what is in them.

    Mictronics  aircrafts.json   {"3C6444": ["D-AIBD", "A319", "00"], ...}   address: registration, type, flags
                types.json       {"A319": ["AIRBUS A-319", "L2J", "M"], ...}  beside it, where it is there
    OpenSky     aircraftDatabase.csv, aircraft-database-complete-YYYY-MM.csv: a column `icao24` among many

The files are the operator's to fetch (Mictronics: ODC-By 1.0, to be credited; OpenSky: its own terms), and may be
packed with gzip. Names of owners are left where they are: whose aircraft it is, is nobody's business here.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from flight_platform.reference.files import ReferenceFileError, open_text

_ADDRESS: Final = re.compile(r"[0-9a-f]{6}")
_MILITARY: Final = "1"  # of Mictronics' flags the first


class Aircraft(NamedTuple):
    """One aircraft, a row of `reference.aircraft` as aircraft_copy.sql takes it. None is unknown."""

    icao24: str
    registration: str | None
    type_code: str | None
    type_name: str | None
    operator: str | None
    type_class: str | None
    wake_category: str | None
    military: bool | None
    provider: str


def read_aircraft(path: Path) -> Iterator[Aircraft]:
    """The aircraft of a file, each address once; raises ReferenceFileError where it is neither of the two formats."""
    with open_text(path) as file:
        begins = file.read(1)
    return _mictronics(path) if begins == "{" else _opensky(path)


def _mictronics(path: Path) -> Iterator[Aircraft]:
    types = _types(path)
    for address, entry in _json(path).items():
        icao24 = address.lower()
        if not _ADDRESS.fullmatch(icao24) or not isinstance(entry, list) or len(entry) < 2:
            raise ReferenceFileError(f"{path}: {address!r} is no aircraft of Mictronics: expected is aircrafts.json")
        type_code = _text(entry[1])
        name, type_class, wake = (*types.get(type_code or "", ()), None, None, None)[:3]
        yield Aircraft(
            icao24=icao24,
            registration=_text(entry[0]),
            type_code=type_code,
            type_name=_text(name),
            operator=None,
            type_class=_text(type_class),
            wake_category=_text(wake),
            military=str(entry[2]).startswith(_MILITARY) if len(entry) > 2 else None,
            provider="mictronics",
        )


def _types(path: Path) -> dict[str, list[Any]]:
    """Mictronics' types, from the file that lies beside its aircraft under the like name."""
    beside = path.with_name(path.name.replace("aircrafts", "types"))
    return _json(beside) if beside != path and beside.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    with open_text(path) as file:
        try:
            content = json.load(file)
        except (ValueError, EOFError, OSError) as error:
            raise ReferenceFileError(f"{path} is no whole JSON file: {error}. Fetch it again") from error
    if not isinstance(content, dict):
        raise ReferenceFileError(f"{path} holds no object: expected is Mictronics' aircrafts.json")
    return content


def _opensky(path: Path) -> Iterator[Aircraft]:
    with open_text(path) as file:
        first = file.read(1)
        file.seek(0)
        # Since 2024 its names are in camel case, and it quotes with apostrophes.
        rows = csv.DictReader(file, quotechar="'" if first == "'" else '"')
        rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
        if not {"icao24", "registration", "typecode"} <= set(rows.fieldnames):
            raise ReferenceFileError(
                f"{path} is neither Mictronics' aircrafts.json nor OpenSky's aircraft database: its first line has no "
                "columns icao24, registration and typecode"
            )
        seen: set[str] = set()
        for row in rows:
            icao24 = (row["icao24"] or "").strip().lower()
            if _ADDRESS.fullmatch(icao24) and icao24 not in seen:
                seen.add(icao24)
                yield _opensky_aircraft(icao24, row)


def _opensky_aircraft(icao24: str, row: dict[str, str | None]) -> Aircraft:
    maker, model = _text(row.get("manufacturername")), _text(row.get("model"))
    return Aircraft(
        icao24=icao24,
        registration=_text(row["registration"]),
        type_code=_text(row["typecode"]),
        type_name=" ".join(filter(None, (maker, model))) or None,
        operator=_text(row.get("operator")),
        type_class=_text(row.get("icaoaircrafttype") or row.get("icaoaircraftclass")),
        wake_category=None,
        military=None,
        provider="opensky",
    )


def _text(value: object) -> str | None:
    """The text without padding and without what Postgres refuses; None where there is none."""
    text = "" if value is None else str(value).replace("\0", "").strip()
    return text or None
