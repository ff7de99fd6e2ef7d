"""Reading the live store: who is in the air now, from all live servers, as one answer.

    question ──► every server at once (flights + watermarks) ──► merge: newest copy wins ──► LiveAnswer

How a flight lies in a live server is `fields.py`, on which servers it lies `shards.py`; writing is `writer.py`.
"""

from dataclasses import dataclass

from flight_platform.model import Position
from flight_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the live store says, and whether it could say all.

    `positions`: the newest report of each flight within the live window, by flight id. `partial` is true where flights
    may be missing, and `missing` says why: a server that does not answer or is being filled, as `host:port`, or a
    Kafka partition that no live consumer looks after, as `partition 3` (`all partitions` where there is no consumer at
    all). With R copies, R-1 servers may be away and nothing is missing. `watermark_ms` is the newest event time that
    the live consumers have written; None where they have seen no report. It is the newest of the partitions, not the
    oldest: a partition with few aircraft is silent for seconds and lacks nothing, and one whose consumer is gone or
    still catching up is in `missing`.
    """

    positions: list[Position]
    partial: bool
    missing: tuple[str, ...]
    watermark_ms: int | None


class LiveReader:
    """Asks all live servers at once and merges their answers. Create and use it within one running event loop.

    No method raises for a server that is away: that is what `partial` says. A server that does not answer within the
    time limit counts as away.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def close(self) -> None:
        """Closes all connections."""
        raise NotImplementedError

    async def within(self, bbox: tuple[float, float, float, float]) -> LiveAnswer:
        """The flights in a box (west, south, east, north); west > east crosses the antimeridian."""
        raise NotImplementedError

    async def get(self, flight_id: int) -> LiveAnswer:
        """One flight: zero or one position."""
        raise NotImplementedError

    async def nearby(self, latitude: float, longitude: float, radius_nm: float, limit: int) -> LiveAnswer:
        """The `limit` flights closest to a point within a radius, by flight id."""
        raise NotImplementedError

    async def all(self) -> LiveAnswer:
        """All flights."""
        raise NotImplementedError
