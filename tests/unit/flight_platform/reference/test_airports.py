"""An airport as a row."""

import airportsdata
import pytest

from flight_platform.reference.airports import airport_row


def test_an_airport_is_a_row_in_the_order_of_the_columns() -> None:
    row = airport_row(airportsdata.load("ICAO")["LFPG"])
    assert row[:5] == ("LFPG", "CDG", "Charles de Gaulle International Airport", "Paris", "FR")
    assert row[5:7] == (pytest.approx(49.01, abs=0.01), pytest.approx(2.55, abs=0.01))
    assert row[7] == 392


def test_an_empty_code_is_unknown() -> None:
    assert airport_row(airportsdata.load("ICAO")["00AA"])[1] is None
