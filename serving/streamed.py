"""Answers that are sent as they are made: until they are whole, the client leaves, or it takes nothing for too long.

A client that leaves ends what was made for it, down to the cursor in the store.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

from flight_platform.history.queries import Portions
from flight_platform.history.table import Row
from serving.exports import Writer
from serving.server import ABORT
from serving.watching import count_dropped

LONGEST_S: Final = 600.0  # for which a long answer may keep a connection to its store
_PATIENCE_S: Final = 20.0  # for which one that takes nothing of it is waited for


class LongAnswer(Response):
    """The answer to a request whose length nobody knows beforehand: rows as a writer writes them, a portion at a time.

    `first` was read already, so that a failure has a status; `rest` is closed whatever ends the answer.
    """

    def __init__(
        self,
        first: Sequence[Row],
        rest: Portions,
        writer: Writer,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=dict(headers or {}), media_type=media_type)
        del self.headers["content-length"]
        self._first, self._rest, self._writer = first, rest, writer

    @property
    def empty(self) -> bool:
        """Whether there is no row; before it is sent."""
        return not self._first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends beside a task that waits for the client to leave."""
        sending = asyncio.create_task(self._push(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except TimeoutError:
            await drop(scope, receive)
        finally:
            await end(sending, leaving)
            await self._rest.aclose()

    async def _push(self, send: Send) -> None:
        """Raises TimeoutError where the client takes nothing."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with asyncio.timeout(LONGEST_S):
            first, self._first = self._first, ()
            await _tell(send, self._writer.part(first))
            del first
            async for rows in self._rest:
                await _tell(send, self._writer.part(rows))
            await _tell(send, self._writer.end())
            await _tell(send, (b"",), more=False)


async def _tell(send: Send, parts: Iterable[bytes], *, more: bool = True) -> None:
    for part in parts:
        async with asyncio.timeout(_PATIENCE_S):
            await send({"type": "http.response.body", "body": part, "more_body": more})


async def _gone(receive: Receive) -> None:
    """Waits until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Ends tasks, whatever they are at."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def drop(scope: Scope, receive: Receive) -> None:
    """Ends an answer to a client that takes nothing of it, and counts it."""
    count_dropped("slow")
    abort(scope)
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await _gone(receive)  # the server has to see it, or it reports a broken answer


def abort(scope: Scope) -> None:
    """Cuts a connection whose other end takes nothing; closing it in order would wait for that very end."""
    extension = scope.get("extensions", {}).get(ABORT)
    if extension is not None:
        extension["cut"]()
