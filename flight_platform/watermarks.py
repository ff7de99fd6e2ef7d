"""How far a hop is with each source: the newest event time of each, told of batches and not of records.

Sources are few, but nothing keeps a program that writes into our topics from making their names up. So no more than
MOST are told apart: whatever follows names (heartbeats, metrics, the memory of who looks) stays small.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy.typing as npt

MOST: Final = 100

Array = npt.NDArray[Any]


def newest_by_source(sources: Array, times: Array) -> dict[str, int]:
    """The newest of the times, Unix milliseconds, by source: names as zero-padded bytes, empty where unknown.

    A pass for each source: for the usual handful that is less than sorting the names once.
    """
    newest: dict[str, int] = {}
    while len(sources) and len(newest) <= MOST:
        of_this = sources == sources[0]
        newest[sources[0].decode("utf-8", "replace")] = int(times[of_this].max())
        sources, times = sources[~of_this], times[~of_this]
    newest.pop("", None)
    return newest


def advance(marks: dict[str, int], newest: Mapping[str, int]) -> None:
    """Moves the marks forward; they never go back. Of new names as many are taken as there is room for."""
    for source, time_ms in newest.items():
        before = marks.get(source)
        if (before is None and len(marks) < MOST) or (before is not None and before < time_ms):
            marks[source] = time_ms
