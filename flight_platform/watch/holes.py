"""Holes: stretches of event time that a source has left out, while nobody can write them down.

Their number is bounded, what they cover is not: where there is room for no more, the two that lie nearest to each other
become one, which covers both and what came between. Such a one is an upper bound of what is lost, and says so.
"""

import threading
from dataclasses import dataclass
from typing import Final

MOST: Final = 100


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """From and to, Unix milliseconds of event time, and of how many stretches it is made."""

    from_ms: int
    to_ms: int
    stretches: int = 1

    def to(self, later: "Hole") -> "Hole":
        """The one that covers both."""
        return Hole(self.from_ms, max(self.to_ms, later.to_ms), self.stretches + later.stretches)

    @property
    def reason(self) -> str:
        """As `ops.gaps` tells it."""
        if self.stretches == 1:
            return "the source gave nothing, and cannot give it later"
        return f"the source gave nothing for {self.stretches} stretches, which lie in this one: it is an upper bound"


class Holes:
    """What waits to be written down, oldest first. One thread adds, another one removes."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, threading.Lock()
        self._all: list[Hole] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, from_ms: int, to_ms: int) -> None:
        """A stretch that begins where the last one has ended, or later."""
        with self._lock:
            self._all.append(Hole(from_ms, to_ms))
            if len(self._all) > self._most:
                pairs = range(len(self._all) - 1)
                nearest = min(pairs, key=lambda n: self._all[n + 1].from_ms - self._all[n].to_ms)
                self._all[nearest : nearest + 2] = [self._all[nearest].to(self._all[nearest + 1])]

    def first(self) -> Hole | None:
        """The oldest."""
        with self._lock:
            return self._all[0] if self._all else None

    def remove(self, written: Hole) -> None:
        """It is written down. One that has grown meanwhile stays, and is to be written again."""
        with self._lock:
            if self._all and self._all[0] == written:
                del self._all[0]
