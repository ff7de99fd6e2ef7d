"""Which letters a filter takes."""

from typing import Any

import pytest

from flight_platform.names import Reason
from streaming.dead_letter_topic import Wanted
from streaming.dead_letters import Letter
from tests.unit.streaming.test_dead_letters import NOW_MS

LETTER = Letter(
    place=(1, 7),
    headers={"reason": "too_late", "source": "roof", "refused_at": "2023-11-14T22:13:20.250Z"},
    original=b"{}",
)


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        ({}, True),
        ({"reason": Reason.TOO_LATE}, True),
        ({"reason": Reason.IMPLAUSIBLE}, False),
        ({"source": "roof"}, True),
        ({"source": "attic"}, False),
        ({"since_ms": NOW_MS}, True),
        ({"since_ms": NOW_MS + 1}, False),
        ({"until_ms": NOW_MS + 1}, True),
        ({"until_ms": NOW_MS}, False),
        ({"places": frozenset({(1, 7), (0, 0)})}, True),
        ({"places": frozenset({(7, 1)})}, False),
        ({"reason": Reason.TOO_LATE, "source": "attic"}, False),
    ],
)
def test_which_letters_are_meant(wanted: dict[str, Any], takes: bool) -> None:
    assert Wanted(**wanted).takes(LETTER) == takes


def test_a_letter_without_a_time_is_of_no_time() -> None:
    timeless = Letter(place=(0, 0), headers={}, original=b"")
    assert Wanted().takes(timeless)
    assert not Wanted(since_ms=0).takes(timeless)
    assert not Wanted(until_ms=NOW_MS).takes(timeless)
