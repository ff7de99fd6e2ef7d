"""The two formats of aircraft databases, as their providers write them."""

import gzip
import json
from pathlib import Path

import pytest

from flight_platform.reference.aircraft import read_aircraft
from flight_platform.reference.files import ReferenceFileError

MICTRONICS = {
    "3C6444": ["D-AIBD", "A319", "00"],
    "3C0001": ["", "", "10"],
    "A00001": ["N1", "GLID"],
}
OLD_OPENSKY = """\
"icao24","registration","manufacturericao","manufacturername","model","typecode","icaoaircrafttype","operator","owner"
"3c6444","D-AIBD","AIRBUS","Airbus","A319 112","A319","L2J","Lufthansa","Somebody"
"","","","","","","","",""
"3c0001","","","","","","","",""
"3c6444","D-TWICE","","","","","","",""
"""
NEW_OPENSKY = """\
'icao24','timestamp','icaoAircraftClass','manufacturerName','model','operator','registration','typecode','owner'
'3c6444','2017-09-15','L2J','Airbus','A319, 112','Lufthansa','D-AIBD','A319','Somebody'
"""


def write(folder: Path, name: str, text: str, *, packed: bool = False) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_mictronics(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path, "mictronics-aircrafts.json", json.dumps(MICTRONICS), packed=packed)
    write(tmp_path, "mictronics-types.json", json.dumps({"A319": ["AIRBUS A-319", "L2J", "M"]}), packed=packed)
    known, unknown, glider = read_aircraft(path)
    assert (known.icao24, known.registration, known.type_code, known.type_name) == (
        "3c6444",
        "D-AIBD",
        "A319",
        "AIRBUS A-319",
    )
    assert (known.type_class, known.wake_category, known.military, known.provider) == ("L2J", "M", False, "mictronics")
    assert (unknown.registration, unknown.type_code, unknown.type_name, unknown.military) == (None, None, None, True)
    assert (glider.type_code, glider.type_name, glider.military) == ("GLID", None, None)


def test_mictronics_without_its_types(tmp_path: Path) -> None:
    aircraft = list(read_aircraft(write(tmp_path, "any.json", json.dumps(MICTRONICS))))
    assert [a.type_name for a in aircraft] == [None] * 3


@pytest.mark.parametrize(("text", "type_name"), [(OLD_OPENSKY, "Airbus A319 112"), (NEW_OPENSKY, "Airbus A319, 112")])
def test_opensky_old_and_new(tmp_path: Path, text: str, type_name: str) -> None:
    known, *rest = read_aircraft(write(tmp_path, "aircraft.csv", "\ufeff" * (text is OLD_OPENSKY) + text))
    assert (known.icao24, known.registration, known.type_code, known.type_name) == (
        "3c6444",
        "D-AIBD",
        "A319",
        type_name,
    )
    assert (known.operator, known.type_class, known.wake_category, known.military) == ("Lufthansa", "L2J", None, None)
    assert "Somebody" not in str(known)
    assert [(a.icao24, a.registration) for a in rest] == ([("3c0001", None)] if text is OLD_OPENSKY else [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,lat\n1,2\n", "neither"),
        ('{"XYZ": ["D-A", "A"]}', "no aircraft"),
        ('{"3C6444": ["D-A', "no whole JSON"),
        ("", "neither"),
    ],
)
def test_what_is_neither_is_refused_and_says_what_is_expected(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ReferenceFileError, match=says):
        list(read_aircraft(write(tmp_path, "file", text)))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReferenceFileError, match="cannot be read"):
        list(read_aircraft(tmp_path / "none.csv"))


def test_mictronics_as_it_is_published(shared_data: Path) -> None:
    aircraft = {a.icao24: a for a in read_aircraft(shared_data / "reference" / "mictronics-aircrafts.json.gz")}
    assert len(aircraft) > 400_000
    first = aircraft["004002"]
    assert (first.registration, first.type_code, first.type_class, first.wake_category) == ("Z-WPA", "B732", "L2J", "M")
