"""Reading the live store: who is in the air now, from all live servers, as one answer.

    question ──► every server at once (flights + watermarks) ──► merge: newest copy wins ──► LiveAnswer

How a flight lies in a live server is `fields.py`, on which servers it lies `shards.py`; writing is `writer.py`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final

import structlog

from flight_platform.errors import ShardError
from flight_platform.kafka import now_ms
from flight_platform.live.fields import fields_of, position_of
from flight_platform.live.link import Command, Links
from flight_platform.live.shards import parse_shards
from flight_platform.live.writer import PARTITIONS_ID
from flight_platform.model import Position, format_flight_id
from flight_platform.names import COLLECTION_FLIGHTS, COLLECTION_WATERMARKS
from flight_platform.settings import Settings

log = structlog.get_logger()

METRES_PER_NM: Final = 1852.0
_NO_LIMIT: Final = 100_000_000  # Tile38's own default is 100
_AT_ONCE: Final = 500  # items that are merged without leaving the event loop: some milliseconds
_SHARED: Final = 4_096  # reports that many may ask for before there are newer ones: each is read once
_WATERMARKS: Final[Command] = ("SCAN", COLLECTION_WATERMARKS, "LIMIT", _NO_LIMIT, "OBJECTS")


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


@dataclass(slots=True)
class _Told:
    """What the servers said: items of flights, and for each server its watermarks by partition, None if it is away."""

    items: list[Sequence[Any]] = field(default_factory=list)
    watermarks: dict[str, dict[int, int] | None] = field(default_factory=dict)
    partitions: int = 0  # how many there are; 0 where no server knows


class LiveReader:
    """Asks all live servers at once and merges their answers. Create and use it within one running event loop.

    No method raises for a server that is away: that is what `partial` says. A server that does not answer within the
    time limit counts as away.
    """

    def __init__(self, settings: Settings) -> None:
        shards = parse_shards(settings.tile38_urls)
        self._links = [Links(shard) for shard in shards]
        self._copies = min(settings.tile38_copies, len(shards))
        self._window_ms = round(settings.live_window_s * 1000)
        self._away: set[str] = set()

    async def close(self) -> None:
        """Closes all connections."""
        for links in self._links:
            links.close()

    async def within(self, bbox: tuple[float, float, float, float]) -> LiveAnswer:
        """The flights in a box (west, south, east, north); west > east crosses the antimeridian."""
        west, south, east, north = bbox
        # Tile38 finds nothing in a box whose west is east of its east.
        spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        return await self._answer([_search("BOUNDS", south, low, north, high) for low, high in spans])

    async def get(self, flight_id: int) -> LiveAnswer:
        """One flight: zero or one position."""
        return await self._answer([("GET", COLLECTION_FLIGHTS, format_flight_id(flight_id), "WITHFIELDS", "POINT")])

    async def nearby(self, latitude: float, longitude: float, radius_nm: float, limit: int) -> LiveAnswer:
        """The `limit` flights closest to a point within a radius, by flight id."""
        # The server must not spend the limit on what has expired and is not swept yet.
        alive = ("WHERE", "time", now_ms() - self._window_ms, "+inf")
        near = ("LIMIT", limit, "DISTANCE", "POINTS", "POINT", latitude, longitude, radius_nm * METRES_PER_NM)
        return await self._answer([("NEARBY", COLLECTION_FLIGHTS, *alive, *near)], nearest=limit)

    async def all(self) -> LiveAnswer:
        """All flights."""
        return await self._answer([("SCAN", COLLECTION_FLIGHTS, "LIMIT", _NO_LIMIT, "POINTS")])

    async def _answer(self, searches: list[Command], nearest: int | None = None) -> LiveAnswer:
        told = await self._ask_all(searches)
        merge = partial(_merged, told.items, now_ms() - self._window_ms, nearest)
        # A whole world takes a tenth of a second: others are not to wait for that.
        positions = merge() if len(told.items) <= _AT_ONCE else await asyncio.to_thread(merge)
        missing = _missing(told, self._copies)
        times = [time for marks in told.watermarks.values() for time in (marks or {}).values()]
        return LiveAnswer(positions, bool(missing), missing, max(times, default=0) or None)

    async def _ask_all(self, searches: list[Command]) -> _Told:
        told = _Told()
        asked = [self._ask(links, [*searches, _WATERMARKS]) for links in self._links]
        # One server is asked at once: a task for it alone would take as long as all else of a small answer.
        answered = await asyncio.gather(*asked) if len(asked) > 1 else [await asked[0]]
        for links, replies in zip(self._links, answered, strict=True):
            label = links.shard.label
            if isinstance(replies, ShardError):
                told.watermarks[label] = None
                self._say_away(label, replies)
                continue
            self._say_back(label)
            *found, (_cursor, marks) = replies
            for search, reply in zip(searches, found, strict=True):
                told.items += _items(search, reply)
            told.watermarks[label] = {int(mark[0]): int(mark[1]) for mark in marks if mark[0].isdigit()}
            count = next((int(mark[1]) for mark in marks if mark[0] == PARTITIONS_ID.encode()), 0)
            told.partitions = max(told.partitions, count)
        return told

    @staticmethod
    async def _ask(links: Links, commands: list[Command]) -> list[Any] | ShardError:
        try:
            return await links.ask(commands)
        except ShardError as error:
            return error

    def _say_away(self, label: str, error: ShardError) -> None:
        if label not in self._away:  # once an outage
            log.warning("live_server_away", server=label, problem=str(error))
        self._away.add(label)

    def _say_back(self, label: str) -> None:
        if label in self._away:
            log.info("live_server_back", server=label)
            self._away.discard(label)


def _merged(items: Sequence[Sequence[Any]], after_ms: int, nearest: int | None) -> list[Position]:
    """The newest copy of each flight, by flight id; the nearest so many alone where that is asked."""
    newest: dict[bytes, tuple[Position, Sequence[Any]]] = {}
    read = _report if len(items) <= _AT_ONCE else _report.__wrapped__
    for item in items:
        if len(item) < 3:
            continue  # without fields it is not ours
        position = read(item[0], *item[1], *item[2])
        # A server may show a flight for 0.2 s after its end.
        if position is not None and position.time > after_ms:
            other = newest.get(item[0])
            if other is None or position.time > other[0].time:
                newest[item[0]] = position, item
    copies = list(newest.values())
    if nearest is not None:
        copies = sorted(copies, key=lambda copy: float(copy[1][3]))[:nearest]
    return sorted((position for position, _ in copies), key=_by_flight)


@lru_cache(_SHARED)
def _report(item_id: bytes, latitude: bytes, longitude: bytes, *fields: bytes) -> Position | None:
    """The report in an item; None where it is somebody else's: no reason to answer nothing."""
    try:
        return position_of(item_id, (latitude, longitude), fields_of(fields))
    except ValueError as error:
        log.warning("foreign_object", id=item_id, problem=str(error))
        return None


def _by_flight(position: Position) -> int:
    return position.flight_id or 0


def _search(*area: str | float) -> Command:
    return ("INTERSECTS", COLLECTION_FLIGHTS, "LIMIT", _NO_LIMIT, "POINTS", *area)


def _items(search: Command, reply: Any) -> list[Sequence[Any]]:
    """The items of a reply: id, point, fields and, where it was asked for, distance."""
    if search[0] != "GET":
        items: list[Sequence[Any]] = reply[1]  # behind the cursor
        return items
    return [] if reply is None else [(str(search[2]).encode(), *reply)]


def _missing(told: _Told, copies: int) -> tuple[str, ...]:
    """What an answer lacks.

    A server holds all of a partition's flights that it should where it has that partition's watermark: consumers write
    it only to a server that they have filled. So flights of a partition are missing where as many servers lack it as
    there are copies of a flight.
    """
    away = [label for label, marks in told.watermarks.items() if marks is None]
    lacking_all, culprits = [], set(away if len(away) >= copies else ())
    if not told.partitions:
        return (*sorted(away), "all partitions")
    for partition in range(told.partitions):
        lacking = [label for label, marks in told.watermarks.items() if marks is None or partition not in marks]
        if len(lacking) == len(told.watermarks):
            lacking_all.append(f"partition {partition}")
        elif len(lacking) >= copies:
            culprits.update(lacking)
    return (*sorted(culprits), *lacking_all)
