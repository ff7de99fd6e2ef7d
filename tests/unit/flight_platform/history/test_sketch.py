"""Percentiles from sketches: close to the true ones, and the same whether values come at once or in parts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.history.sketch import ACCURACY, merged, percentile, sketch

VALUES = st.lists(st.integers(-1_000, 10**11), min_size=1, max_size=200)


@settings(deadline=None)  # a busy machine
@given(VALUES, st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_within_the_stated_accuracy(values: list[int], share: float) -> None:
    true = sorted(max(0, value) for value in values)[max(0, int(np.ceil(share * len(values))) - 1)]
    found = percentile(sketch(np.array(values)), share)
    assert found is not None
    assert abs(found - true) <= true * ACCURACY + 1


@settings(deadline=None)  # a busy machine
@given(VALUES, VALUES)
def test_parts_add_up(one: list[int], other: list[int]) -> None:
    together = sketch(np.array(one + other))
    assert merged([sketch(np.array(one)), sketch(np.array(other))]).tolist() == together.tolist()


def test_of_nothing() -> None:
    assert percentile(sketch(np.array([], dtype="i8")), 0.5) is None
    assert merged([]).tolist() == []


def test_small_values_are_exact() -> None:
    assert [percentile(sketch(np.array([value])), 0.5) for value in (-5, 0, 2, 5, 25)] == [0, 0, 2, 5, 25]
