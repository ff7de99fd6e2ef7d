"""How often OpenSky may be asked: what a request costs and what is left. Pure; the clock is an argument."""

from typing import Final

from streaming.sources.kinds import BoundingBox

DAY_S: Final = 86_400.0
ANONYMOUS_CREDITS: Final = 400  # a day
ACCOUNT_CREDITS: Final = 4_000  # a day; feeders have 8,000, which the answers tell
# OpenSky's answers change every 10 s for anonymous users and every 5 s for accounts: asking more often brings
# nothing.
ANONYMOUS_STEP_S: Final = 10.0
ACCOUNT_STEP_S: Final = 5.0
# The largest area of a box in square degrees and its cost; anything larger, and the globe, costs 4.
_COSTS: Final = ((25.0, 1), (100.0, 2), (400.0, 3))
_MOST: Final = 4


def cost_of(bbox: BoundingBox | None) -> int:
    """The credits that one request for a box costs."""
    if bbox is None:
        return _MOST
    west, south, east, north = bbox
    area = (east - west) * (north - south)
    return next((cost for limit, cost in _COSTS if area <= limit), _MOST)


class Budget:
    """Spreads the credits that are left evenly over the time until new ones come: as many polls as they allow, never
    more.

    Credits are renewed once a day at a moment that is not documented. It is at most a day away from the start, and at
    most a day away from the last time that the credits have been seen to rise.
    """

    def __init__(self, *, cost: int, account: bool, now_s: float, limited: bool = True) -> None:
        self._cost = cost
        self._daily = ACCOUNT_CREDITS if account else ANONYMOUS_CREDITS
        self._step_s = ACCOUNT_STEP_S if account else ANONYMOUS_STEP_S
        self._limited = limited  # False: a server that is not OpenSky's and has told of no credits
        self._renewal_s = now_s + DAY_S
        self._remaining: float | None = None

    @property
    def rationed(self) -> bool:
        """There are credits to keep to."""
        return self._limited or self._remaining is not None

    def told(self, remaining: float, now_s: float) -> None:
        """The server has told how many credits are left."""
        if self._remaining is not None and remaining > self._remaining:
            self._renewal_s = now_s + DAY_S
        self._remaining = remaining

    def interval_s(self, now_s: float) -> float:
        """Seconds until the next poll."""
        if self._remaining is None:
            return max(self._step_s, DAY_S * self._cost / self._daily) if self._limited else self._step_s
        if now_s >= self._renewal_s:
            self._renewal_s = now_s + DAY_S
        polls = self._remaining // self._cost
        if polls < 1:  # the next poll is refused and costs nothing, and the refusal tells when credits come
            return DAY_S * self._cost / self._daily
        return max(self._step_s, (self._renewal_s - now_s) / polls)
