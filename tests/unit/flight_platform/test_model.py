"""Identifiers, ranges and callsigns of the position report."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.errors import InvalidIdentifierError
from flight_platform.model import (
    NON_ICAO_BIT,
    RANGES,
    Position,
    address_of,
    clean_callsign,
    format_flight_id,
    icao24_of,
    make_flight_id,
    out_of_range,
    parse_flight_id,
)

GOOD = Position(icao24="3c6444", time=0, received_at=0, latitude=0.0, longitude=0.0)


def changed(name: str, value: Any) -> Position:
    return replace(GOOD, **{name: value})


@given(st.integers(0, 2 * NON_ICAO_BIT - 1), st.integers(0, 2**32 - 1))
def test_flight_id_round_trip(address: int, second: int) -> None:
    flight_id = make_flight_id(address, second)
    assert flight_id < 2**63
    assert parse_flight_id(format_flight_id(flight_id)) == flight_id
    assert address_of(icao24_of(address)) == address


def test_documented_flight_ids() -> None:
    assert format_flight_id(0x3C6444 << 32 | 0x67A1B2C3) == "3c6444-67a1b2c3"
    assert parse_flight_id("~3c6444-67a1b2c3") == (0x3C6444 | NON_ICAO_BIT) << 32 | 0x67A1B2C3


@pytest.mark.parametrize(
    "text", ["", "3c6444", "3C6444-67a1b2c3", "3c6444-67a1b2c", "3c6444-67a1b2c3 ", "~~c6444-67a1b2c3"]
)
def test_no_flight_id(text: str) -> None:
    with pytest.raises(InvalidIdentifierError, match="looks like"):
        parse_flight_id(text)


@pytest.mark.parametrize("text", ["", "3c644", "3c64444", "3C6444", "~3c644g"])
def test_no_address(text: str) -> None:
    with pytest.raises(InvalidIdentifierError, match="six lower-case hex digits"):
        address_of(text)


@pytest.mark.parametrize("name", list(RANGES))
def test_limits_are_possible_and_beyond_is_not(name: str) -> None:
    low, high = RANGES[name]
    for value in (low, high):
        assert out_of_range(changed(name, value)) is None
    for value in (low - 1, high + 1, float("nan")):
        assert name in (out_of_range(changed(name, value)) or "")


@pytest.mark.parametrize(
    ("name", "value"), [("squawk", "7780"), ("squawk", "123"), ("icao24", "3C6444"), ("icao24", "")]
)
def test_impossible_texts(name: str, value: str) -> None:
    assert name in (out_of_range(changed(name, value)) or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BAW123  ", "BAW123"),
        ("@@@@@@@@", None),
        ("", None),
        (None, None),
        ("afr12", "AFR12"),
        ("A?B", None),
        ("D-EABC", "D-EABC"),
    ],
)
def test_callsigns(text: str | None, expected: str | None) -> None:
    assert clean_callsign(text) == expected
