"""The thresholds are read as they stand in the file, and agree with what the feeds let pass."""

import pytest
from pydantic import ValidationError

from checks.thresholds import Thresholds, thresholds
from flight_platform.model import RANGES


def test_no_range_is_wider_than_what_a_feed_lets_pass() -> None:
    ranges = thresholds().hour.ranges
    assert ranges.keys() == RANGES.keys()
    for name, (low, high) in ranges.items():
        assert RANGES[name][0] <= low < high <= RANGES[name][1], name


def test_a_threshold_that_nobody_knows_is_refused() -> None:
    values = thresholds().model_dump()
    values["hour"]["motion"]["fastest_kts"] = 900
    with pytest.raises(ValidationError, match="fastest_kts"):
        Thresholds.model_validate(values)
