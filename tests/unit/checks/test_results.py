"""Verdicts as the result of a check."""

import dagster as dg

from assets.hours import POSITIONS
from checks.expectations import Verdict
from checks.results import evaluation

GOOD = Verdict(name="there are rows", passed=True, observed="3000")
BAD = Verdict(
    name="altitude_ft is possible",
    passed=False,
    observed="3 of 9 rows are not",
    unexpected=3,
    sample=({"flight_id": "3c6444-67a1b2c3", "altitude_ft": 900_000},),
)


def test_a_check_passes_where_all_expectations_hold_and_is_of_its_partition() -> None:
    result = evaluation(POSITIONS, "2026-01-31-22:00", [GOOD, GOOD])
    assert (result.passed, result.partition, result.description) == (
        True,
        "2026-01-31-22:00",
        "all 2 expectations hold",
    )


def test_one_that_does_not_hold_fails_it_and_is_told_with_the_rows_it_is_about() -> None:
    result = evaluation(POSITIONS, None, [GOOD, BAD])
    assert not result.passed
    assert result.description == "altitude_ft is possible: 3 of 9 rows are not"
    table = result.metadata["expectations"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data["sample"] for record in table.records] == ["", "flight_id=3c6444-67a1b2c3 altitude_ft=900000"]


def test_what_could_not_be_told_says_why() -> None:
    failed = Verdict(name="squawk looks like one", passed=False, observed="", problem="no such column")
    assert evaluation(POSITIONS, None, [failed]).description == "squawk looks like one: no such column"
