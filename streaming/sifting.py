"""What of a source's reports can be taken: possible values, a time that is neither ahead nor too long ago.

Most reports are beyond doubt, and a look at whole columns tells so. The few others are judged one at a time, in words:
a suspicion is no refusal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from flight_platform.codec import iso_time
from flight_platform.model import ICAO24, RANGES, SQUAWK, Position, out_of_range
from flight_platform.names import Reason
from flight_platform.settings import Settings
from streaming.dead_letters import original_bytes
from streaming.sources.base import Batch, Refused

_ADDRESS, _SQUAWK, _TIME = attrgetter("icao24"), attrgetter("squawk"), attrgetter("time")
_RANGES: Final = tuple((attrgetter(name), low, high) for name, (low, high) in RANGES.items())


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a report's time may be from the clock, seconds. A backfill has no lateness limit."""

    lateness_s: float | None
    future_s: float

    @classmethod
    def of(cls, settings: Settings, *, backfill: bool) -> "Limits":
        """The limits that the settings state."""
        return cls(None if backfill else settings.lateness_limit_s, settings.future_tolerance_s)


def refusal(position: Position, now_ms: int, limits: Limits) -> tuple[Reason, str] | None:
    """Why a report cannot be taken, with what exactly is wrong; None where it can."""
    problem = out_of_range(position)
    if problem is not None:
        return Reason.OUT_OF_RANGE, problem
    age_s = (now_ms - position.time) / 1000
    if age_s < -limits.future_s:
        return (
            Reason.IN_FUTURE,
            f"time {iso_time(position.time)} is {-age_s:.1f} s ahead; tolerated are {limits.future_s:g} s",
        )
    if limits.lateness_s is not None and age_s > limits.lateness_s:
        return (
            Reason.TOO_LATE,
            f"time {iso_time(position.time)} is {age_s:.0f} s old; the limit is {limits.lateness_s:g} s",
        )
    return None


def sift(batch: Batch, now_ms: int, limits: Limits) -> tuple[list[Position], list[Refused]]:
    """What of a batch can be taken, and what cannot with its original bytes and reason."""
    problems: dict[int, Refused] = {}
    for index in suspects(batch.positions, now_ms, limits):
        problem = refusal(batch.positions[index], now_ms, limits)
        if problem is not None:
            original = original_bytes(batch.originals[index])
            problems[index] = Refused(original=original, reason=problem[0], detail=problem[1])
    if not problems:
        return batch.positions, batch.refused
    taken = [position for index, position in enumerate(batch.positions) if index not in problems]
    return taken, [*batch.refused, *problems.values()]


def suspects(positions: Sequence[Position], now_ms: int, limits: Limits) -> list[int]:
    """The indexes of all that `refusal` refuses, and of few others; ascending."""
    if not positions:
        return []
    addresses, squawks = map(_ADDRESS, positions), list(map(_SQUAWK, positions))
    doubtful = {index for index, match in enumerate(map(ICAO24.fullmatch, addresses)) if match is None}
    wrong = {squawk for squawk in set(squawks) if squawk is not None and not SQUAWK.fullmatch(squawk)}
    if wrong:
        doubtful |= {index for index, squawk in enumerate(squawks) if squawk in wrong}
    try:
        age_s = (now_ms - np.array(list(map(_TIME, positions)), dtype="i8")) / 1000
        youngest, oldest = -limits.future_s, math.inf if limits.lateness_s is None else limits.lateness_s
        doubtful.update(_outside(age_s, youngest, oldest))
        for getter, low, high in _RANGES:
            column = list(map(getter, positions))
            found = _outside(np.array(column, dtype="f8"), low, high)  # with what is None, which becomes NaN
            doubtful.update(index for index in found if column[index] is not None)
    except OverflowError:  # a number of hundreds of digits
        return list(range(len(positions)))
    return sorted(doubtful)


def _outside(values: npt.NDArray[np.float64], low: float, high: float) -> list[int]:
    outside: list[int] = np.flatnonzero(~((values >= low) & (values <= high))).tolist()  # a NaN is neither
    return outside
