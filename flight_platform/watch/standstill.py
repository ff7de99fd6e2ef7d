"""Standstill: partitions in which a consumer does not get on, though records lie before it.

A hop is as far as the newest of its partitions, so one that stands still is not seen in it: a part of the sky is
missing, or a source whose few aircraft all lie there. What holds one back: a transaction that nobody ends (readers see
up to its begin), a leader that does not answer, a consumer whose loop hangs while the rest of its process lives. And
nobody may read it at all: that is seen from outside (`unread.py`), by the same rule.

It tells for how long and lets others judge, so it says nothing of what may be the next fetch.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

SHORT_S: Final = 5.0
TRUST_S: Final = 10.0  # how long a look from outside holds
OWN: Final = "partition "  # kinds of concerns: of a partition that the process has, and of one that it looks at from
UNREAD: Final = "unread partition "  # outside


class Standstill:
    """The consumer's loop tells where it is, once a second; the thread of the heartbeat asks what stands still.

    A loop that does not tell any more hangs, and all that it has stands still. Who looks from `outside`, at what others
    have, and does not tell any more knows nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, outside: bool = False) -> None:
        self._clock, self._outside = clock, outside
        self._moved: dict[int, tuple[int, float]] = {}  # by partition: the place, and when it was last well there
        self._behind: set[int] = set()
        self._told_at = clock()

    def look(self, places: Mapping[int, tuple[int, int]]) -> None:
        """Of each partition that the consumer has: the offset where it goes on, and how many records lie before it."""
        now, before = self._clock(), self._moved
        self._moved = {
            number: before[number] if lag and number in self._behind and before[number][0] == place else (place, now)
            for number, (place, lag) in places.items()
        }
        self._behind = {number for number, (_, lag) in places.items() if lag}
        self._told_at = now

    def concerns(self) -> dict[str, str]:
        """As concerns of a heartbeat: the partition, and for how many seconds it stands still."""
        now, moved = self._clock(), self._moved
        silent_s = now - self._told_at
        if self._outside and silent_s > TRUST_S:
            return {}
        hangs = not self._outside and silent_s > SHORT_S  # it would tell otherwise
        still = {number: now - at for number, (_, at) in moved.items() if hangs or now - at > SHORT_S}
        kind = UNREAD if self._outside else OWN
        return {f"{kind}{number}": f"{seconds:.1f}" for number, seconds in sorted(still.items())}


def told(concerns: Mapping[str, str], kind: str = OWN) -> dict[int, float]:
    """The partitions that a heartbeat says stand still, and for how many seconds."""
    return {int(name.removeprefix(kind)): float(s) for name, s in concerns.items() if name.startswith(kind)}
