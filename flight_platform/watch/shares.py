"""Unusual shares: of what came in the last five minutes, against what is usual there. Pure; the caller remembers.

Sources differ: what is an alarm of one is any day of another. So each is compared with itself: the share of a window
with a mean that forgets over half a day. What is counted, and from which share on somebody is called, is a `Rule`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

_WINDOW_S: Final = 300.0
_GONE_S: Final = 2 * _WINDOW_S
_FORGETS_S: Final = 43_200.0

Counts = Mapping[str, tuple[int, int]]  # by name: how many were not of the kind that is counted, and how many were


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a share is unusual. `limit`: from which share on, by the usual one."""

    limit: Callable[[float], float]
    least: int  # in a window: a share of a handful of reports says nothing
    first_usual: float | None  # of one that nobody knows; None: what its first window tells
    at_once: bool  # with the first look that is beyond the limit, or at the end of the window
    gets_used: bool  # whether what is reported as unusual becomes usual in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is remembered of one name: totals as they were at the present window's start, the usual share."""

    at: float  # when the window began, Unix seconds
    others: int
    counted: int
    usual: float | None
    recent: float = 0.0  # share of the last whole window
    since: float | None = None  # unusual since


def follow(tallies: Mapping[str, Tally], counts: Counts, at: float, rule: Rule) -> dict[str, Tally]:
    """The tallies a look later; of a name that is gone what it is used to is kept, and after a while nothing said."""
    kept = {name: tally if at - tally.at < _GONE_S else replace(tally, since=None) for name, tally in tallies.items()}
    return {**kept, **{name: _follow(tallies.get(name), count, at, rule) for name, count in counts.items()}}


def _follow(tally: Tally | None, count: tuple[int, int], at: float, rule: Rule) -> Tally:
    others, counted = count
    if tally is None:
        return Tally(at=at, others=others, counted=counted, usual=rule.first_usual)
    if others < tally.others or counted < tally.counted:  # a process has started again and counts from nothing
        return Tally(at=at, others=others, counted=counted, usual=tally.usual)
    seconds, new = at - tally.at, counted - tally.counted
    came = others - tally.others + new
    share = new / max(1, came)
    unusual = tally.usual is not None and share > rule.limit(tally.usual) and new >= rule.least
    if seconds < _WINDOW_S and not (rule.at_once and unusual and tally.since is None):
        return tally
    usual = tally.usual
    if came and (rule.gets_used or not unusual):
        usual = share if usual is None else usual + (share - usual) * (1 - math.exp(-seconds / _FORGETS_S))
    since = (tally.since or tally.at) if unusual else None
    return Tally(at=at, others=others, counted=counted, usual=usual, recent=share, since=since)


def to_json(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """As an object that JSON can hold."""
    return {name: asdict(tally) for name, tally in tallies.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, Tally]:
    """The inverse; what an older version has left is forgotten."""
    try:
        return {name: Tally(**tally) for name, tally in data.items()}
    except TypeError:
        return {}
