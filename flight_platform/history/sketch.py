"""Percentiles that can be added up: counts by logarithmic class, so that a day's are made from its hours'.

Class 0 holds all up to 1, class i what lies above gamma^(i-1) and up to gamma^i; a percentile is the middle of the
class in which it falls and so at most 2 % off (the idea is DDSketch's: Masson, Rim, Lee, VLDB 2019). The mean of the
hours' percentiles would be no percentile of anything.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ACCURACY: Final = 0.02
_GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = math.log(_GAMMA)
_LAST: Final = 700  # the class of 1.4e12 ms, 45 years: what lies beyond counts as that

Array = npt.NDArray[Any]


def sketch(values: Array) -> Array:
    """How many of the values lie in each class, up to the last that is used; a negative value counts as 0."""
    classes = np.ceil(np.log(np.maximum(values, 1)) / _LOG_GAMMA).astype("i8")
    return np.bincount(np.minimum(classes, _LAST))


def merged(sketches: list[Array]) -> Array:
    """The sketch of all values together."""
    total = np.zeros(max((len(one) for one in sketches), default=0), dtype="i8")
    for one in sketches:
        total[: len(one)] += one
    return total


def percentile(counts: Array, share: float) -> int | None:
    """The value that this share of all values does not exceed, rounded to a whole; None where there are no values."""
    total = int(counts.sum())
    if not total:
        return None
    number = int(np.searchsorted(np.cumsum(counts), max(1, math.ceil(share * total))))
    return 0 if number == 0 else round(2 * _GAMMA**number / (_GAMMA + 1))
