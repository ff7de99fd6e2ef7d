"""Verdicts as the result of a check."""

import dagster as dg

from assets.hours import CHECK
from checks.expectations import Verdict, evaluation

GOOD = Verdict(name="there are rows", passed=True, observed="3000", unexpected=0, sample=())
BAD = Verdict(
    name="altitude_ft is possible", passed=False, observed="3 of 9 rows are not", unexpected=3, sample=("9e9",)
)


def test_a_check_passes_where_all_expectations_hold_and_is_of_its_partition() -> None:
    result = evaluation(CHECK, "2026-01-31-22:00", [GOOD])
    assert (result.passed, result.partition, result.blocking) == (True, "2026-01-31-22:00", True)


def test_one_that_does_not_hold_fails_it_and_is_told_with_a_sample() -> None:
    result = evaluation(CHECK, None, [GOOD, BAD])
    assert not result.passed
    assert result.description == "altitude_ft is possible: 3 of 9 rows are not"
    table = result.metadata["expectations"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data["sample"] for record in table.records] == ["", "9e9"]
