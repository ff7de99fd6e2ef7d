"""Standstill: partitions in which a consumer does not get on, though records lie before it.

A hop is as far as the newest of its partitions, so one that stands still is not seen in it: a part of the sky is
missing, or a source whose few aircraft all lie there. What holds one back: a transaction that nobody ends (readers see
up to its begin), a leader that does not answer, a consumer whose loop hangs while the rest of its process lives.

It tells for how long and lets others judge, so it says nothing of what may be the next fetch.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

SHORT_S: Final = 5.0
_KIND: Final = "partition "


class Standstill:
    """The consumer's loop tells where it is, once a second; the thread of the heartbeat asks what stands still."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved: dict[int, tuple[int, float]] = {}  # by partition: the place, and when it was last well there
        self._told_at = clock()

    def look(self, places: Mapping[int, tuple[int, int]]) -> None:
        """Of each partition that the consumer has: the offset where it goes on, and how many records lie before it."""
        now, before = self._clock(), self._moved
        self._moved = {
            number: before[number] if lag and before.get(number, (None,))[0] == place else (place, now)
            for number, (place, lag) in places.items()
        }
        self._told_at = now

    def concerns(self) -> dict[str, str]:
        """As concerns of a heartbeat: the partition, and for how many seconds it stands still."""
        now, moved = self._clock(), self._moved
        hangs = now - self._told_at > SHORT_S  # it would tell otherwise
        still = {number: now - at for number, (_, at) in moved.items() if hangs or now - at > SHORT_S}
        return {f"{_KIND}{number}": f"{seconds:.1f}" for number, seconds in sorted(still.items())}


def told(concerns: Mapping[str, str]) -> dict[int, float]:
    """The partitions that a heartbeat says stand still, and for how many seconds."""
    return {int(kind.removeprefix(_KIND)): float(s) for kind, s in concerns.items() if kind.startswith(_KIND)}
