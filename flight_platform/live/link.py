"""Asynchronous connections to one live server, for readers: several, so that a long answer holds up no short one.

It does not know what the commands mean. A server that fails is left alone for a while, which grows; asking it meanwhile
fails at once.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis

from flight_platform.errors import ShardError
from flight_platform.live.shards import Shard
from flight_platform.telemetry import LIVE_COMMAND_DURATION

TIME_LIMIT_S: Final = 3.0  # of an answer; a scan of 100,000 flights takes a good second
CONNECT_LIMIT_S: Final = 1.0
MOST_LINKS: Final = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_NOT_YET: Final = object()

Command = tuple[str | bytes | int | float, ...]


class _Link(asyncio.Protocol):
    """One connection: commands go out in order, replies come in that order."""

    def __init__(self) -> None:
        self._replies = hiredis.Reader(notEnoughData=_NOT_YET)
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._transport: asyncio.Transport | None = None

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def load(self) -> int:
        return len(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's: they cannot be told by isinstance.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        problem = f"connection lost: {exc}" if exc else "the server closed the connection"
        while self._waiting:
            _, _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(ConnectionError(problem))

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not _NOT_YET:
            count, replies, future = self._waiting[0]
            replies.append(reply)
            if len(replies) == count:
                self._waiting.popleft()
                if not future.done():
                    future.set_result(replies)

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        if self._transport is None:
            raise ConnectionError("the server closed the connection")
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((len(commands), [], future))
        self._transport.write(b"".join(map(hiredis.pack_command, commands)))
        return await future

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Links:
    """The connections to one server, made when needed."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._links: list[_Link] = []
        self._pause_s = 0.0
        self._try_after = 0.0
        self._problem = ""

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands; raises ShardError where there are none or one is an error."""
        if time.monotonic() < self._try_after:
            raise ShardError(self._problem)
        try:
            replies = await self._ask(commands)
        except (OSError, TimeoutError, hiredis.ProtocolError, ShardError) as error:
            self._problem = str(error) or f"no answer within {TIME_LIMIT_S:g} s"
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            self._try_after = time.monotonic() + self._pause_s
            raise ShardError(self._problem) from error
        self._pause_s = 0.0
        return replies

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        link, is_new = await self._link()
        try:
            replies = await self._within_limit(link, commands)
        except ConnectionError:
            if is_new:
                raise
            # The server was restarted since we last asked: once more, on a new connection.
            link, _ = await self._link()
            replies = await self._within_limit(link, commands)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise ShardError(str(reply))
        return replies

    async def _within_limit(self, link: _Link, commands: Sequence[Command]) -> list[Any]:
        try:
            with LIVE_COMMAND_DURATION.labels(str(commands[0][0]), self.shard.label).time():
                async with asyncio.timeout(TIME_LIMIT_S):
                    return await link.ask(commands)
        except TimeoutError:
            link.close()  # its replies would come late and in vain
            raise

    async def _link(self) -> tuple[_Link, bool]:
        """The connection with the least to do, and whether it is a new one."""
        self._links = [link for link in self._links if link.alive]
        idlest = min(self._links, key=lambda link: link.load, default=None)
        if idlest is not None and (idlest.load == 0 or len(self._links) >= MOST_LINKS):
            return idlest, False
        tls = ssl.create_default_context() if self.shard.tls else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_LIMIT_S):
            _, link = await loop.create_connection(_Link, self.shard.host, self.shard.port, ssl=tls)
            if self.shard.password is not None:
                (reply,) = await link.ask([("AUTH", self.shard.password)])
                if isinstance(reply, hiredis.ReplyError):
                    link.close()
                    raise ShardError(str(reply))
        self._links.append(link)
        return link, True

    def close(self) -> None:
        for link in self._links:
            link.close()
        self._links.clear()
