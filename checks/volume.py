"""How many rows an hour should have: as many as usual; and what it means where there are none. Pure.

What is usual is told by the same hour of the week. In the first weeks there are too few of them, and the same hour of
the last days stands in; in the first days nothing is known, and no number is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from checks.thresholds import Volume
from flight_platform.history.verdicts import Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How many rows an hour like this one has, and how that is known."""

    rows: float
    basis: str


def usual(weeks: Sequence[int], days: Sequence[int], limits: Volume) -> Usual | None:
    """What is usual, from the rows of the same hour in earlier weeks and on earlier days; None where too few are."""
    if len(weeks) >= limits.least_weeks:
        return Usual(rows=median(weeks), basis=f"the same hour of the last {len(weeks)} weeks")
    if len(days) >= limits.least_days:
        return Usual(rows=median(days), basis=f"the same hour of the last {len(days)} days")
    return None


def bounds(known: Usual | None, limits: Volume) -> tuple[int, int | None]:
    """The least and the greatest number of rows that is no surprise; None where any number is right."""
    if known is None:
        return 0, None
    high = max(round(known.rows * limits.high), limits.quiet_rows)
    return (0 if known.rows <= limits.quiet_rows else round(known.rows * limits.low)), high


def presence(rows: int, known: Usual | None, limits: Volume, *, listened: bool) -> Presence:
    """What it means that an hour has so many rows. `listened`: a source was heard, through all of the hour."""
    if rows:
        return Presence.FILLED
    if not listened:
        return Presence.MISSING
    return Presence.QUIET if known is None or known.rows <= limits.quiet_rows else Presence.EMPTY
