"""Reference files in a real Postgres: each load is whole, and a bad file changes nothing."""

import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from flight_platform.history.flights import read_airports
from flight_platform.reference.files import ReferenceFileError
from flight_platform.reference.tables import load_airports, load_file
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration

RUNWAYS = """\
airport_ident,length_ft,closed,le_ident,le_latitude_deg,le_longitude_deg,le_heading_degT,he_ident,he_latitude_deg,\
he_longitude_deg,he_heading_degT
EDDF,13123,0,07C,50.0325,8.5345,69.5,25C,50.0451,8.5870,249.5
EDDF,9000,0,07C,50.0325,8.5345,69.5,25C,50.0451,8.5870,249.5
"""


def test_aircraft_are_replaced_as_a_whole(
    connection: psycopg.Connection, analyst: psycopg.Connection, tmp_path: Path
) -> None:
    mictronics = tmp_path / "aircrafts.json"
    mictronics.write_text(json.dumps({"3C6444": ["D-AIBD", "A319", "00"], "3C6445": ["D-AIBE", "A319", "00"]}))
    assert load_file(connection, mictronics).rows == 2
    opensky = tmp_path / "aircraft.csv"
    opensky.write_text("icao24,registration,typecode,operator\n3c6444,D-NEW,A320,Lufthansa\n")
    loaded = load_file(connection, opensky)
    assert (loaded.table, loaded.rows, loaded.provider) == ("reference.aircraft", 1, "opensky")
    found = analyst.execute("SELECT icao24, registration, type_code, operator, provider FROM aircraft").fetchall()
    assert found == [("3c6444", "D-NEW", "A320", "Lufthansa", "opensky")]


def test_a_bad_file_leaves_what_is_there(connection: psycopg.Connection, tmp_path: Path) -> None:
    good = tmp_path / "aircraft.csv"
    good.write_text("icao24,registration,typecode\n3c6444,D-AIBD,A319\n")
    load_file(connection, good)
    for text in ("icao24,registration,typecode\n", "a,b\n1,2\n", '{"3C6444": ["D-AIBD", "A319"], "x": []}'):
        bad = tmp_path / "bad"
        bad.write_text(text)
        with pytest.raises(ReferenceFileError):
            load_file(connection, bad)
        row = connection.execute("SELECT registration FROM reference.aircraft").fetchall()
        assert row == [("D-AIBD",)]


def test_airports_and_runways_are_what_flights_are_judged_by(
    connection: psycopg.Connection, database: DatabaseUrls, tmp_path: Path
) -> None:
    assert load_airports(connection).rows > 25_000
    file = tmp_path / "runways.csv"
    file.write_text(RUNWAYS)
    environment = {"FLIGHT_POSTGRES_URL": database["postgres_url"]}
    result = CliRunner().invoke(app, ["reference", "load", str(file), "--json"], env=environment)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"table": "reference.runways", "rows": 2, "provider": "ourairports"}
    listed = CliRunner().invoke(app, ["reference", "list", "--json"], env=environment)
    assert {row["name"]: row["rows"] for row in json.loads(listed.stdout)}["runways"] == 2
    airports = read_airports(connection)
    assert len(airports) > 25_000
    assert "EDDF" in {airports.icao[field] for field in airports.near(50.03, 8.55, 5)}
    lengths = connection.execute("SELECT name, length_ft FROM reference.runways ORDER BY name").fetchall()
    assert lengths == [("07C", 13_123), ("25C", 13_123)]
