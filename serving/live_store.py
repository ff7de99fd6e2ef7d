"""The live store as the routes of the active API see it: what they may ask, and when nobody answering is an error."""

from collections.abc import Awaitable
from typing import Annotated, Protocol

from fastapi import Depends
from fastapi.requests import HTTPConnection

from flight_platform.live.client import LiveAnswer
from serving.problems import ProblemError, unavailable
from serving.snapshot import Snapshot, Snapshots


class Reader(Protocol):
    """What this API asks of the live store; `LiveReader` is it, and tests bring their own."""

    async def all(self) -> LiveAnswer:
        """All flights."""
        ...

    async def within(self, bbox: tuple[float, float, float, float]) -> LiveAnswer:
        """The flights in a box: west, south, east, north."""
        ...

    async def nearby(self, latitude: float, longitude: float, radius_nm: float, limit: int) -> LiveAnswer:
        """The `limit` flights closest to a point."""
        ...

    async def get(self, flight_id: int) -> LiveAnswer:
        """One flight: zero or one position."""
        ...


class Store:
    """A reader, the `host:port` of each server behind it, and the sky once a second."""

    def __init__(self, reader: Reader, servers: frozenset[str]) -> None:
        self.reader, self.servers = reader, servers
        self.snapshots = Snapshots(reader.all, self.answered)

    def answered(self, answer: LiveAnswer) -> bool:
        """Whether any server did."""
        return bool(answer.positions) or not self.servers <= set(answer.missing)

    async def ask(self, question: Awaitable[LiveAnswer]) -> LiveAnswer:
        """The answer; a 503 where no server gave one, since an empty sky because nobody answered is an error."""
        answer = await question
        if not self.answered(answer):
            raise _away(answer)
        return answer

    async def world(self) -> Snapshot:
        """The newest snapshot; a 503 where no server answered."""
        snapshot = await self.snapshots.current()
        if not self.answered(snapshot.answer):
            raise _away(snapshot.answer)
        return snapshot


def _away(answer: LiveAnswer) -> ProblemError:
    return unavailable(f"the live store does not answer; missing: {', '.join(answer.missing)}")


async def _store(connection: HTTPConnection) -> Store:  # async: FastAPI would take a thread for each plain one
    store: Store = connection.app.state.store
    return store


LiveStore = Annotated[Store, Depends(_store)]
