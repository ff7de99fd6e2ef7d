"""The sky once a second: one read of the live store that serves everybody.

    live store ──► Snapshots, each second ──► Snapshot ──► whole world, tiles, push (SSE, WebSocket, gRPC)
                                                 └──► Frame: where everybody was, kept for a minute

What is made of a snapshot (rows, tiles, bodies) is made once and kept with it, so a crowd costs what the map costs.
It is read whether or not anybody looks: a client that another instance lost finds the last minute here. What is for one
client alone (a box, a point, one flight) asks the store itself and does not come here.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from flight_platform.kafka import now_ms
from flight_platform.live.client import LiveAnswer
from flight_platform.model import Position
from flight_platform.telemetry import SNAPSHOT_AGE
from serving.frame import Array, Frame
from serving.live_formats import Format, Head, Row, row_maker

log = structlog.get_logger()

PERIOD_S: Final = 1.0
KEPT: Final = 60  # frames: who was away for a minute gets the whole picture anew
_MOST_MASKS: Final = 16  # sets of fields whose rows are kept; rows of more are made for each who asks
_AT_A_TIME: Final = 50  # streams that are woken before others have their turn: some milliseconds
_SHARED_BYTES: Final = 32_000_000  # of updates that are kept for others who are told the same

_Made = TypeVar("_Made")


@dataclass(slots=True)
class Snapshot:
    """The answer of the store for the whole world at one time, and what was made of it.

    `positions` are those of the answer, or of the one before where no server answered; `frame` has the same order.
    """

    answer: LiveAnswer
    positions: list[Position]
    frame: Frame
    _rows: dict[tuple[Format, tuple[str, ...] | None], list[Row | None]] = field(default_factory=dict)
    _made: dict[Hashable, Any] = field(default_factory=dict)
    _room: int = _SHARED_BYTES

    @property
    def time_ms(self) -> int:
        """When the store was read."""
        return self.frame.time_ms

    def head(self) -> Head:
        """What a list of all of it says of itself."""
        return Head.of(self.answer, self.time_ms)

    def rows(self, form: Format, fields: tuple[str, ...] | None, places: Sequence[int] | Array) -> list[Row]:
        """The rows of the flights at these places, each made at most once."""
        positions = self.positions
        kept = self._rows.get((form, fields))
        wanted = places.tolist() if isinstance(places, np.ndarray) else places
        if kept is None:
            if len(self._rows) >= _MOST_MASKS:
                return row_maker(form, fields)(positions[place] for place in wanted)
            kept = self._rows[form, fields] = [None] * len(positions)
        lacking = [place for place in wanted if kept[place] is None]
        if lacking:
            made = row_maker(form, fields)(positions[place] for place in lacking)
            for place, row in zip(lacking, made, strict=True):
                kept[place] = row
        return [kept[place] for place in wanted]  # type: ignore[misc]  # none is None any more

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` gives, made once for this snapshot."""
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made

    def shared(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The same for what few may ask for: only so much is kept."""
        made: bytes | None = self._made.get(key)
        if made is None:
            made = make()
            if len(made) <= self._room:
                self._room -= len(made)
                self._made[key] = made
        return made


class Snapshots:
    """Reads the store each second while `run` runs, and keeps the last minute's frames.

    `answered` tells an answer from one that no server gave: such a one moves nobody.
    """

    def __init__(
        self, read: Callable[[], Awaitable[LiveAnswer]], answered: Callable[[LiveAnswer], bool] = lambda _: True
    ) -> None:
        self._read, self._answered = read, answered
        self._latest: Snapshot | None = None
        self._read_at = -1.0
        self._reading: asyncio.Task[Snapshot] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self.frames: deque[Frame] = deque(maxlen=KEPT)
        self.draining = False

    async def run(self) -> None:
        """Reads once a second until it is cancelled."""
        SNAPSHOT_AGE.set_function(lambda: time.monotonic() - self._read_at)
        due = time.monotonic()
        while True:
            try:
                await self._next()
            except Exception:
                log.exception("snapshot_failed", consequence="the one before is served, and its age grows")
            await self._tell()
            due = max(due + PERIOD_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def current(self) -> Snapshot:
        """The newest snapshot; where nobody runs us, or the store was slow, one that is made for all who wait."""
        if self._latest is not None and time.monotonic() - self._read_at < 1.5 * PERIOD_S:
            return self._latest
        return await self._next()

    async def after(self, time_ms: int) -> Snapshot | None:
        """The first snapshot that is newer than that; None where this process ends."""
        while not self.draining:
            if self._latest is not None and self._latest.time_ms > time_ms:
                return self._latest
            told = asyncio.get_running_loop().create_future()
            self._waiting.append(told)
            await told
        return None

    async def drain(self) -> None:
        """Says to everybody who waits that this process ends."""
        self.draining = True
        await self._tell()

    async def _next(self) -> Snapshot:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._make())
        return await asyncio.shield(self._reading)

    async def _make(self) -> Snapshot:
        try:
            answer = await self._read()
        finally:
            self._reading = None
        before = self._latest
        time_ms = now_ms() if before is None else max(now_ms(), before.time_ms + 1)
        positions = answer.positions if before is None or self._answered(answer) else before.positions
        self._latest = Snapshot(answer, positions, Frame.of(positions, time_ms))
        self._read_at = time.monotonic()
        self.frames.append(self._latest.frame)
        return self._latest

    async def _tell(self) -> None:
        """Wakes those who wait, some at a time: a request that comes meanwhile is not behind five thousand streams."""
        waiting, self._waiting = self._waiting, []
        for number, told in enumerate(waiting, 1):
            if not told.done():  # it may have left
                told.set_result(None)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
