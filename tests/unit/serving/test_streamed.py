"""Long answers hold few rows, and end with whom they are for."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import Message

from flight_platform.history.queries import Portions
from serving.exports import COLUMNS, Writer
from serving.history_answers import TRACKS, JsonWriter
from serving.replay import Replay
from serving.server import ABORT
from serving.streamed import LongAnswer

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
PORTION = 100


class Row(dict[str, Any]):
    """A row that can be watched: whether anybody still has it. It is what it is, not what it holds."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


class Store:
    """Gives rows and counts how many of them there are at once; `closed` once nobody may ask for more."""

    def __init__(self, portions: int) -> None:
        self._portions = portions
        self._held: weakref.WeakSet[Row] = weakref.WeakSet()
        self.given, self.most, self.closed = 0, 0, False

    async def rows(self) -> Portions:
        try:
            for number in range(self._portions):
                portion = [self._row(number * PORTION + place) for place in range(PORTION)]
                self.given += len(portion)
                self.most = max(self.most, len(self._held))
                yield portion
                del portion
        finally:
            self.closed = True

    def _row(self, number: int) -> Row:
        time = START + timedelta(seconds=number)
        row = Row(dict.fromkeys(COLUMNS), flight_id="3c6444-67a1b2c3", icao24="3c6444", time=time, received_at=time)
        row |= {"latitude": 47.0, "longitude": 8.0, "frame": number // 50, "inside": True}
        self._held.add(row)
        return row


async def sent(answer: LongAnswer, send: Callable[[Message], Awaitable[None]], gone: asyncio.Event) -> None:
    """Sends it as a server does; `gone` is set where the client leaves."""

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "extensions": {ABORT: {"cut": gone.set}}}
    await answer(scope, receive, send)


WRITERS: dict[str, Callable[[str], Writer]] = {
    **{name: form.writer for name, form in TRACKS.items()},
    "instant": lambda _: JsonWriter("positions", 10_000, time=START),
    "replay": lambda _: Replay(START, START + timedelta(seconds=60), timedelta(seconds=1), 100),
}


@pytest.mark.parametrize("name", WRITERS)
def test_however_long_an_answer_is_few_rows_are_held(name: str) -> None:
    async def most(portions: int) -> int:
        store, size = Store(portions), 0

        async def send(message: Message) -> None:
            nonlocal size
            size += len(message.get("body", b""))

        rows = store.rows()
        await sent(
            LongAnswer(await anext(rows), rows, WRITERS[name]("3c6444-67a1b2c3"), "text/plain"), send, asyncio.Event()
        )
        assert (store.given, store.closed) == (portions * PORTION, True)
        assert size > 0
        return store.most

    few, many = asyncio.run(most(5)), asyncio.run(most(100))
    assert few <= 3 * PORTION
    assert many <= few


def test_a_client_that_leaves_ends_what_is_made_for_it() -> None:
    async def run() -> None:
        store, gone = Store(1_000_000), asyncio.Event()
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)
            if len(messages) == 5:
                gone.set()
            await asyncio.sleep(0)

        rows = store.rows()
        await sent(LongAnswer(await anext(rows), rows, TRACKS["csv"].writer(""), "text/csv"), send, gone)
        assert store.closed
        assert store.given < 20 * PORTION
        assert all(message.get("more_body", True) for message in messages)  # it was not ended as if whole

    asyncio.run(run())


def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.streamed._PATIENCE_S", 0)

    async def run() -> None:
        store, gone = Store(10), asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        rows = store.rows()
        await sent(LongAnswer(await anext(rows), rows, TRACKS["csv"].writer(""), "text/csv"), send, gone)
        assert gone.is_set()
        assert (store.closed, store.given) == (True, PORTION)

    asyncio.run(run())


def test_a_store_that_fails_half_way_breaks_the_answer_off() -> None:
    async def rows() -> Portions:
        yield [Row()]
        raise RuntimeError("half way")

    async def run() -> None:
        ended: list[bool] = []

        async def send(message: Message) -> None:
            ended.append(not message.get("more_body", True))

        portions = rows()
        with pytest.raises(RuntimeError, match="half way"):
            await sent(
                LongAnswer(await anext(portions), portions, TRACKS["ndjson"].writer(""), ""), send, asyncio.Event()
            )
        assert ended
        assert not any(ended)

    asyncio.run(run())
    gc.collect()
