"""OurAirports' runways as directions."""

from pathlib import Path

import pytest

from flight_platform.reference.files import ReferenceFileError
from flight_platform.reference.runways import read_runways

HEAD = (
    '"id","airport_ref","airport_ident","length_ft","width_ft","surface","lighted","closed","le_ident",'
    '"le_latitude_deg","le_longitude_deg","le_elevation_ft","le_heading_degT","le_displaced_threshold_ft","he_ident",'
    '"he_latitude_deg","he_longitude_deg","he_elevation_ft","he_heading_degT","he_displaced_threshold_ft"\n'
)
WHOLE = '1,2,"EDDX",9000,150,"ASP",1,0,"09",50,8,300,85,,"27",50,8.04,300,265,\n'
CLOSED = '1,2,"EDDY",9000,150,"ASP",1,1,"09",50,8,300,90,,"27",50,8.04,300,270,\n'
NO_PLACE = '1,2,"EDDZ",9000,150,"ASP",1,0,"N",,,,,,"S",,,,,\n'
ONE_END = '1,2,"EDDW",9000,150,"ASP",1,0,"18",50,8,300,181,,"36",,,,,\n'


def test_both_directions_with_the_heading_of_their_places(tmp_path: Path) -> None:
    path = tmp_path / "runways.csv"
    path.write_text(HEAD + WHOLE + CLOSED + NO_PLACE + ONE_END)
    found = [(r.airport, r.name, r.length_ft, r.longitude, round(r.heading_deg)) for r in read_runways(path)]
    assert found == [
        ("EDDX", "09", 9000, 8.0, 90),
        ("EDDX", "27", 9000, 8.04, 270),
        ("EDDW", "18", 9000, 8.0, 181),
    ]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "airports.csv"
    path.write_text("id,ident\n1,EDDX\n")
    with pytest.raises(ReferenceFileError, match="no column airport_ident"):
        list(read_runways(path))


def test_runways_as_they_are_published(shared_data: Path) -> None:
    runways = {(r.airport, r.name): r for r in read_runways(shared_data / "reference" / "ourairports-runways.csv.gz")}
    assert len(runways) > 20_000
    assert runways["KSFO", "28L"].heading_deg == pytest.approx(298, abs=1)
