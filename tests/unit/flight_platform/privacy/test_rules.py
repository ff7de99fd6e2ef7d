"""The rules of the block list, as people write them and as they count."""

from datetime import date
from typing import Any

import pytest

from flight_platform.errors import InvalidIdentifierError
from flight_platform.model import Position, address_of
from flight_platform.names import Treatment
from flight_platform.privacy.rules import Rule, Subject
from flight_platform.privacy.target import Target


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"icao24": "3C6444"}, Subject(icao24="3c6444")),
        ({"icao24": "~3c6444", "callsign": ""}, Subject(icao24="~3c6444")),
        ({"registration": " d-aima "}, Subject(registration="D-AIMA")),
        ({"callsign": "dlh123 "}, Subject(callsign="DLH123")),
    ],
    ids=["address", "not-icao", "registration", "callsign"],
)
def test_a_subject_as_people_write_it(written: dict[str, str], meant: Subject) -> None:
    assert Subject.of(**written) == meant


@pytest.mark.parametrize(
    "written",
    [{}, {"icao24": "3c64"}, {"registration": "D"}, {"callsign": "###"}, {"icao24": "3c6444", "callsign": "DLH1"}],
    ids=["nobody", "short", "no-registration", "no-callsign", "two"],
)
def test_what_names_nobody_or_two_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdentifierError):
        Subject.of(**written)


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (None, None, [True, True, True, True]),
        (date(2026, 1, 2), None, [False, True, True, True]),
        (None, date(2026, 1, 2), [True, True, False, False]),
        (date(2026, 1, 2), date(2026, 1, 3), [False, True, True, False]),
    ],
    ids=["for-good", "since", "until", "between"],
)
def test_a_rule_holds_on_its_days_both_included(since: date | None, until: date | None, holds: list[bool]) -> None:
    rule = Rule(
        subject=Subject(icao24="3c6444"),
        treatment=Treatment.DROP,
        reason="",
        address="3c6444",
        since=since,
        until=until,
    )
    assert [rule.holds(date(2026, 1, day)) for day in (1, 2, 3, 4)] == holds


def test_a_target_is_all_flights_of_its_addresses_and_these_flights() -> None:
    target = Target(addresses=frozenset({"000001", "~000001"}), callsign="SECRET1")
    flight = address_of("abcdef") << 32 | 5
    assert target.spans([flight]) == [
        (1 << 32, (2 << 32) - 1),
        (0x1000001 << 32, (0x1000002 << 32) - 1),
        (flight, flight),
    ]


@pytest.mark.parametrize(
    ("icao24", "callsign", "named"),
    [("000001", None, True), ("000002", "SECRET1", True), ("000002", "SECRET12", False), ("~000001", None, False)],
)
def test_a_target_names_reports(icao24: str, callsign: str | None, named: bool) -> None:
    position = Position(icao24=icao24, time=0, received_at=0, latitude=0.0, longitude=0.0, callsign=callsign)
    assert Target(addresses=frozenset({"000001"}), callsign="SECRET1").names(position) is named
    assert not Target(addresses=frozenset({"000003"})).names(position)
