"""Which hours make one run."""

from datetime import UTC, datetime, timedelta

import pytest

from assets.hours import stretches

START = datetime(2026, 1, 31, 22, tzinfo=UTC)


def hours(*numbers: int) -> list[datetime]:
    return [START + timedelta(hours=number) for number in numbers]


@pytest.mark.parametrize(
    ("due", "runs"),
    [
        ([], []),
        ([0], [(0, 0)]),
        ([2, 0, 1], [(0, 2)]),
        ([0, 1, 5, 6, 9], [(0, 1), (5, 6), (9, 9)]),
        ([0, 1, 2, 3, 4], [(0, 2), (3, 4)]),
    ],
)
def test_hours_in_a_row_are_one_run_up_to_the_longest(due: list[int], runs: list[tuple[int, int]]) -> None:
    assert stretches(hours(*due), longest=3) == [tuple(hours(first, last)) for first, last in runs]
