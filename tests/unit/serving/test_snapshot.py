"""The sky once a second: who reads, who waits, what is kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.live.client import LiveAnswer
from flight_platform.model import Position
from serving import snapshot as module
from serving.live_formats import Format, MakeRows, row_maker
from serving.parameters import Box
from serving.snapshot import Snapshots
from tests.unit.serving.skies import answer, flight, snapshot

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


class Sky:
    """A store that counts how often it is read, and answers when it is told to."""

    def __init__(self) -> None:
        self.answer = answer(flight(1, 47, 8))
        self.reads = 0
        self.open = asyncio.Event()
        self.open.set()

    async def read(self) -> LiveAnswer:
        self.reads += 1
        await self.open.wait()
        return self.answer


@given(LATITUDES, LONGITUDES, st.tuples(LONGITUDES, LATITUDES, LONGITUDES, LATITUDES))
def test_a_flight_is_in_a_box_or_not(latitude: float, longitude: float, edges: tuple[float, ...]) -> None:
    west, a, east, b = edges
    box = Box(west, min(a, b), east, max(a, b))
    in_width = west <= longitude <= east if west <= east else longitude >= west or longitude <= east
    expected = in_width and box.south <= latitude <= box.north
    assert snapshot(flight(1, latitude, longitude)).frame.within(box).tolist() == [expected]


def test_everywhere_holds_all() -> None:
    assert snapshot(flight(1, 90, 180), flight(2, -90, -180)).frame.within(None).tolist() == [True, True]


def test_many_who_ask_at_once_are_one_read() -> None:
    async def run() -> None:
        sky = Sky()
        sky.open.clear()
        snapshots = Snapshots(sky.read)
        asking = [asyncio.create_task(snapshots.current()) for _ in range(50)]
        await asyncio.sleep(0)
        asking[0].cancel()  # who leaves takes nobody along
        sky.open.set()
        found = await asyncio.gather(*asking[1:])
        assert all(one is found[0] for one in found)
        assert await snapshots.current() is found[0]
        assert sky.reads == 1

    asyncio.run(run())


@asynccontextmanager
async def running(snapshots: Snapshots) -> AsyncIterator[None]:
    task = asyncio.create_task(snapshots.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def in_time(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(run())


def test_it_is_read_again_and_again_and_waiters_get_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERIOD_S", 0.01)

    async def test() -> None:
        snapshots = Snapshots(Sky().read)
        async with running(snapshots):
            times = [-1]
            for _ in range(5):
                found = await snapshots.after(times[-1])
                assert found is not None
                times.append(found.time_ms)
        assert times == sorted(set(times))
        assert set(times[1:]) <= {frame.time_ms for frame in snapshots.frames}

    in_time(test)


def test_a_read_that_fails_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERIOD_S", 0.01)

    async def test() -> None:
        sky, failures = Sky(), 3

        async def read() -> LiveAnswer:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise RuntimeError("not yet")
            return await sky.read()

        snapshots = Snapshots(read)
        async with running(snapshots):
            assert await snapshots.after(-1) is not None

    in_time(test)


def test_an_outage_moves_nobody() -> None:
    async def test() -> None:
        sky = Sky()
        snapshots = Snapshots(sky.read, answered=lambda told: not told.missing)
        before = await snapshots._next()
        sky.answer = answer(missing=("127.0.0.1:1",))
        after = await snapshots._next()
        assert after.positions == before.positions
        assert after.frame.flight_ids.tolist() == before.frame.flight_ids.tolist()
        assert (after.answer.missing, after.time_ms > before.time_ms) == (("127.0.0.1:1",), True)

    in_time(test)


def test_who_waits_is_told_of_the_end() -> None:
    async def test() -> None:
        snapshots = Snapshots(Sky().read)
        first = await snapshots.current()
        waiting = asyncio.create_task(snapshots.after(first.time_ms))
        await asyncio.sleep(0)
        await snapshots.drain()
        assert await waiting is None
        assert await snapshots.after(-1) is None

    in_time(test)


def test_a_row_is_made_once_and_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counting(form: Format, fields: tuple[str, ...] | None) -> MakeRows:
        def make(positions: Iterable[Position]) -> list[bytes]:
            listed = list(positions)
            made.append(len(listed))
            return row_maker(form, fields)(listed)

        return make

    monkeypatch.setattr(module, "row_maker", counting)
    sky = snapshot(*(flight(number, 0, number) for number in range(1, 6)))
    first = sky.rows(Format.JSON, None, [0, 2])
    again = sky.rows(Format.JSON, None, [2, 0, 4])
    assert (again[0], again[1]) == (first[1], first[0])
    assert made == [2, 1]


def test_only_so_much_is_kept_of_what_single_clients_ask_for() -> None:
    sky = snapshot(flight(1, 0, 0))
    large, small = b"x" * (module._SHARED_BYTES - 10), b"small"
    assert sky.shared("large", lambda: large) is large
    assert sky.shared("small", lambda: small) is small
    assert sky.shared("too much", lambda: b"eleven bytes") == b"eleven bytes"
    assert sky.shared("too much", lambda: b"made again") == b"made again"
    assert sky.shared("small", lambda: b"another") is small
