"""How many rows are usual, and what it means that there are none."""

import pytest

from checks.thresholds import Volume
from checks.volume import Usual, bounds, presence, usual
from flight_platform.history.verdicts import Presence

LIMITS = Volume(weeks=6, least_weeks=3, days=7, least_days=3, low=0.5, high=2, quiet_rows=100)
BUSY, QUIET = Usual(rows=10_000, basis=""), Usual(rows=40, basis="")


@pytest.mark.parametrize(
    ("weeks", "days", "rows"),
    [
        ([100, 300, 200], [1, 1, 1], 200),
        ([100, 300], [10, 30, 20], 20),
        ([100, 300], [10, 30], None),
        ([], [], None),
    ],
    ids=["weeks", "first weeks", "first days", "first hour"],
)
def test_weeks_tell_then_days_and_at_first_nothing(weeks: list[int], days: list[int], rows: float | None) -> None:
    known = usual(weeks, days, LIMITS)
    assert (known and known.rows) == rows


@pytest.mark.parametrize(
    ("known", "expected"),
    [(None, (0, None)), (BUSY, (5_000, 20_000)), (QUIET, (0, 100))],
    ids=["unknown", "busy", "quiet"],
)
def test_a_quiet_hour_has_no_least_number(known: Usual | None, expected: tuple[int, int | None]) -> None:
    assert bounds(known, LIMITS) == expected


@pytest.mark.parametrize(
    ("rows", "known", "listened", "meaning"),
    [
        (1, BUSY, False, Presence.FILLED),
        (0, BUSY, False, Presence.MISSING),
        (0, QUIET, False, Presence.MISSING),
        (0, BUSY, True, Presence.EMPTY),
        (0, QUIET, True, Presence.QUIET),
        (0, None, True, Presence.QUIET),
    ],
    ids=["rows", "nobody listened", "nor at night", "heard nothing", "quiet night", "first days"],
)
def test_an_empty_hour_is_told_from_a_missing_one_and_from_a_quiet_night(
    rows: int, known: Usual | None, listened: bool, meaning: Presence
) -> None:
    assert presence(rows, known, LIMITS, listened=listened) is meaning
