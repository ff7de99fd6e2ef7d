"""What of a source's reports can be taken: possible values, a time that is neither ahead nor too long ago.

Most reports are beyond doubt, and a look at whole columns tells so. The few others are judged one at a time, in words:
a suspicion is no refusal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flight_platform.codec import iso_time
from flight_platform.model import ICAO24, RANGES, SQUAWK, Position, out_of_range
from flight_platform.names import Reason
from flight_platform.settings import Settings
from streaming.dead_letters import original_bytes
from streaming.sources.base import Batch, Refused

_JUDGED: Final = attrgetter("icao24", "squawk", "time", *RANGES)


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


def suspects(positions: Sequence[Position], now_ms: int, limits: Limits) -> Iterable[int]:
    """The indexes of all that `refusal` refuses, and of few others."""
    if not positions:
        return ()
    addresses, squawks, times, *numbers = zip(*map(_JUDGED, positions), strict=True)
    try:
        beyond_doubt = _matches(addresses, ICAO24.pattern) & _matches(squawks, SQUAWK.pattern)
        age_s = (now_ms - np.array(times, dtype="i8")) / 1000
        beyond_doubt &= age_s >= -limits.future_s
        if limits.lateness_s is not None:
            beyond_doubt &= age_s <= limits.lateness_s
        for (low, high), column in zip(RANGES.values(), numbers, strict=True):
            values = pc.fill_null(pa.array(column, pa.float64()), low).to_numpy()
            beyond_doubt &= (values >= low) & (values <= high)  # a NaN is neither
    except (ValueError, TypeError, OverflowError):  # a number or a text that no column holds
        return range(len(positions))
    doubtful: list[int] = np.flatnonzero(~beyond_doubt).tolist()
    return doubtful


def _matches(texts: Sequence[str | None], pattern: str) -> npt.NDArray[np.bool_]:
    """Where a text matches as a whole, or there is none."""
    matches = pc.match_substring_regex(pa.array(texts, pa.string()), rf"\A(?:{pattern})\z")
    found: npt.NDArray[np.bool_] = matches.fill_null(True).to_numpy(zero_copy_only=False)
    return found
