"""The share of what is refused, by source and for the tracker, against what is usual there. Pure; the caller remembers.

A source of poor quality is refused a tenth of its reports every day and nobody need be called; another one that begins
to send rubbish is. So each is compared with itself: the share of the last five minutes with a mean that forgets over
half a day and does not learn from what is reported as unusual.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from flight_platform.names import Reason, Stage
from flight_platform.watch.alerts import Alert
from flight_platform.watch.freshness import Hop

TIMES_USUAL: Final = 4.0
LEAST_SHARE: Final = 0.02  # below it nobody is called, however good a source is used to be
FIRST_USUAL: Final = 0.0125  # of a source that nobody knows: one in twenty alerts
LEAST_REFUSED: Final = 50  # in five minutes: a share of a handful of reports says nothing
_WINDOW_S: Final = 300.0
_FORGETS_S: Final = 43_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is remembered of one source: totals as they were, those of the present window's start, the usual share."""

    at: float  # when the window began, Unix seconds
    taken: int
    refused: int
    usual: float = FIRST_USUAL
    recent: float = 0.0  # share of the last whole window
    recent_refused: int = 0
    since: float | None = None  # unusual since

    @property
    def limit(self) -> float:
        """The share from which on somebody is called."""
        return max(LEAST_SHARE, TIMES_USUAL * self.usual)


def counted(hops: Iterable[Hop]) -> dict[str, tuple[int, int]]:
    """What each feed, and the tracker, have taken and refused since they started."""
    found = {}
    for hop in hops:
        if hop.stage in {Stage.FEED, Stage.TRACK} and hop.alive:
            refused = sum(hop.counters.get(reason, 0) for reason in Reason)
            taken = sum(hop.counters.get(outcome, 0) for outcome in ("accepted", "passed", "repeat"))
            found[hop.name] = (taken, refused)
    return found


def follow(tallies: Mapping[str, Tally], counts: Mapping[str, tuple[int, int]], at: float) -> dict[str, Tally]:
    """The tallies a look later; a source that is gone keeps its own, and what it is used to."""
    return {**tallies, **{name: _follow(tallies.get(name), count, at) for name, count in counts.items()}}


def _follow(tally: Tally | None, count: tuple[int, int], at: float) -> Tally:
    taken, refused = count
    if tally is None:
        return Tally(at=at, taken=taken, refused=refused)
    if taken < tally.taken or refused < tally.refused:  # it has started again and counts from nothing
        return Tally(at=at, taken=taken, refused=refused, usual=tally.usual)
    seconds = at - tally.at
    new_taken, new_refused = taken - tally.taken, refused - tally.refused
    share = new_refused / max(1, new_taken + new_refused)
    unusual = share > tally.limit and new_refused >= LEAST_REFUSED
    if seconds < _WINDOW_S and not (unusual and tally.since is None):
        return tally
    usual = tally.usual
    if not unusual and new_taken + new_refused:
        usual += (share - usual) * (1 - math.exp(-seconds / _FORGETS_S))
    since = (tally.since or tally.at) if unusual else None
    return Tally(
        at=at,
        taken=taken,
        refused=refused,
        usual=usual,
        recent=share,
        recent_refused=new_refused,
        since=since,
    )


def alerts_of(tallies: Mapping[str, Tally]) -> list[Alert]:
    """One alert for each that refuses more than it is used to."""
    return [
        Alert(
            key=f"dead_letters:{name}",
            hop=name.partition(":")[0],
            source=name.partition(":")[2],
            severity="warning",
            summary=f"{name} refuses {tally.recent:.1%} of its reports; {tally.usual:.1%} are usual",
            since=datetime.fromtimestamp(tally.since, UTC),
            last_good=datetime.fromtimestamp(tally.since, UTC),  # when the window began before which it was as usual
            cause="the source has changed its format or sends rubbish, or a clock is wrong",
            to_do="`flight dead-letters list --since 1h` counts them by source and reason; `show` has the bytes.",
            runbook="dead-letters",
        )
        for name, tally in sorted(tallies.items())
        if tally.since is not None
    ]


def to_json(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """As an object that JSON can hold."""
    return {name: asdict(tally) for name, tally in tallies.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, Tally]:
    """The inverse; what an older version has left is forgotten."""
    try:
        return {name: Tally(**tally) for name, tally in data.items()}
    except TypeError:
        return {}
