"""Writer and reader on real live servers: copies, servers that are away, passwords, boxes, expiry."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from flight_platform import kafka
from flight_platform.embedded.process import free_port, is_listening
from flight_platform.embedded.tile38 import EmbeddedLive, Kind
from flight_platform.errors import ShardError
from flight_platform.live.client import LiveAnswer, LiveReader
from flight_platform.live.connection import Connection
from flight_platform.live.shards import Placement, parse_shards
from flight_platform.live.writer import LiveWriter
from flight_platform.model import Position
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from tests.integration.live.samples import columns_of, sample

pytestmark = pytest.mark.integration

PARTITIONS = 4


@contextmanager
def live_writer(settings: Settings, positions: list[Position]) -> Iterator[LiveWriter]:
    """A writer that has filled all servers and told of all partitions."""
    with closing(LiveWriter(settings)) as writer:
        fill(writer, positions, settings)
        yield writer


def fill(writer: LiveWriter, positions: list[Position], settings: Settings, away: int = 0) -> None:
    def filled() -> bool:
        if writer.unfilled():
            writer.fill(columns_of(positions), kafka.now_ms())
        return len(writer.away()) == away

    wait_until(filled, 60, "servers to be filled")
    writer.write_watermarks(dict.fromkeys(range(PARTITIONS), kafka.now_ms()), PARTITIONS)


def ask(settings: Settings, question: Callable[[LiveReader], Awaitable[LiveAnswer]]) -> LiveAnswer:
    async def asked() -> LiveAnswer:
        reader = LiveReader(settings)
        try:
            return await question(reader)
        finally:
            await reader.close()

    return asyncio.run(asked())


def all_of(settings: Settings) -> LiveAnswer:
    return ask(settings, lambda reader: reader.all())


def test_questions(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url)
    now_ms = kafka.now_ms()
    places = {1: (50.0, 8.0), 2: (51.0, 9.0), 3: (0.0, 179.5), 4: (0.5, -179.5), 5: (0.0, 0.0), 6: (50.1, 8.0)}
    positions = [sample(n, now_ms, latitude=lat, longitude=lon) for n, (lat, lon) in places.items()]
    with live_writer(settings, positions):

        def numbers(question: Callable[[LiveReader], Awaitable[LiveAnswer]]) -> list[int]:
            answer = ask(settings, question)
            assert (answer.partial, answer.missing) == (False, ())
            by_number = dict(zip(places, positions, strict=True))
            found = [(position.flight_id or 0) - (0x3C0000 << 32) >> 32 for position in answer.positions]
            assert answer.positions == [by_number[number] for number in found]
            return found

        assert numbers(lambda reader: reader.all()) == [1, 2, 3, 4, 5, 6]
        assert numbers(lambda reader: reader.within((7, 49, 8, 52))) == [1, 6]
        assert numbers(lambda reader: reader.within((179, -1, -179, 1))) == [3, 4]
        assert numbers(lambda reader: reader.within((-180, -90, 180, 90))) == [1, 2, 3, 4, 5, 6]
        assert numbers(lambda reader: reader.get(positions[1].flight_id or 0)) == [2]
        assert numbers(lambda reader: reader.get(12345)) == []
        assert numbers(lambda reader: reader.nearby(50, 8, 7, 10)) == [1, 6]
        assert numbers(lambda reader: reader.nearby(50, 8, 500, 2)) == [1, 6]
        assert numbers(lambda reader: reader.nearby(50, 8, 5, 10)) == [1]
        assert numbers(lambda reader: reader.nearby(0.2, 180, 100, 10)) == [3, 4]


def test_a_position_is_gone_when_it_leaves_the_window(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url, live_window_s=30)
    now_ms = kafka.now_ms()
    with live_writer(settings, [sample(1, now_ms), sample(2, now_ms - 26_000)]):
        assert len(all_of(settings).positions) == 2
        seen_last = 0

        def gone() -> bool:
            nonlocal seen_last
            asked = kafka.now_ms()
            answer = all_of(settings)
            if len(answer.positions) == 2:
                seen_last = asked
            return len(answer.positions) == 1

        wait_until(gone, 60, "the older one to expire")
        assert seen_last < now_ms + 4_000, "shown although it had left the window"
        (shard,) = parse_shards([live_server.url])
        with closing(Connection(shard)) as connection:
            scan = ("SCAN", "flights", "IDS")
            wait_until(lambda: connection.ask([scan])[0][1] == [b"3c0001-6553f100"], 60, "the server to have swept it")


@pytest.mark.parametrize("copies", [1, 2])
def test_a_server_away(copies: int, live_kind: Kind, tmp_path: Path) -> None:
    """Two servers, one of which dies and comes back empty: with two copies nobody notices."""
    with (
        EmbeddedLive(tmp_path / "a", free_port(), live_kind) as first,
        EmbeddedLive(tmp_path / "b", free_port(), live_kind) as second,
    ):
        settings = Settings.read(tile38_urls=f"{first.url},{second.url}", tile38_copies=copies)
        shards = parse_shards(settings.tile38_urls)
        positions = [sample(number, kafka.now_ms()) for number in range(500)]
        columns = columns_of(positions)
        on_first = Placement(shards, copies).holders(columns["flight_id"])[0]
        with live_writer(settings, positions) as writer:
            whole = all_of(settings)
            assert (whole.positions, whole.partial) == (positions, False)

            second.kill()
            newer = [sample(number, kafka.now_ms() + 1) for number in range(500)]
            writer.write(columns_of(newer), kafka.now_ms())
            writer.settle()
            answer = all_of(settings)
            held = [position for position, here in zip(newer, on_first, strict=True) if here]
            assert answer.positions == held
            assert answer.partial is (copies == 1)
            assert answer.missing == ((shards[1].label,) if copies == 1 else ())

            second.start()
            second.wait_ready()
            answer = all_of(settings)
            assert answer.partial is (copies == 1), "it is back, and empty"
            assert answer.missing == ((shards[1].label,) if copies == 1 else ())
            fill(writer, newer, settings)
            answer = all_of(settings)
            assert (answer.positions, answer.partial) == (newer, False)


def test_what_is_guarded_never_replaces_what_is_there(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url)
    now_ms = kafka.now_ms()
    there, older, missing = sample(1, now_ms), sample(1, now_ms - 2_000), sample(2, now_ms - 1_000)
    with live_writer(settings, [there]) as writer:
        writer.write(columns_of([older, missing]), now_ms, guarded=np.array([True, True]))
        writer.settle()
        assert all_of(settings).positions == [there, missing]
        newer = [sample(1, now_ms + 10), sample(2, now_ms + 10)]
        writer.write(columns_of(newer), now_ms, guarded=np.array([False, True]))
        writer.settle()
        assert all_of(settings).positions == [newer[0], missing]


def test_an_emptied_server_is_noticed(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url)
    positions = [sample(number, kafka.now_ms()) for number in range(50)]
    with live_writer(settings, positions) as writer:
        writer.find_emptied(range(PARTITIONS))
        assert not writer.unfilled()
        with closing(Connection(*parse_shards([live_server.url]))) as connection:
            connection.ask([("FLUSHDB",)])
        assert all_of(settings).missing == ("all partitions",)
        writer.find_emptied(range(PARTITIONS))
        assert writer.unfilled()
        fill(writer, positions, settings)
        assert all_of(settings).positions == positions


def test_no_server_at_all() -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}"
    settings = Settings.read(tile38_urls=url)
    with closing(LiveWriter(settings)) as writer:
        assert writer.write(columns_of([sample(1, kafka.now_ms())]), kafka.now_ms()) == 0
        assert writer.write_watermarks({0: 1}, 1) is False
    answer = all_of(settings)
    assert (answer.positions, answer.partial, answer.watermark_ms) == ([], True, None)
    assert answer.missing == (url.rpartition("@")[2], "all partitions")


@contextmanager
def locked_server(kind: Kind, folder: Path) -> Iterator[int]:
    """A live server with the password `s3cret`; its port."""
    if kind == "tile38":
        with EmbeddedLive(folder, free_port(), kind) as live, closing(Connection(*parse_shards([live.url]))) as admin:
            admin.ask([("CONFIG", "SET", "requirepass", "s3cret")])
            yield live.port
        return
    port = free_port()
    words = [sys.executable, "-m", "flight_platform.embedded.live_server", f"--port={port}", "--requirepass=s3cret"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_listening(port), 60, "the stand-in to listen")
            yield port
        finally:
            process.terminate()


def test_passwords(live_kind: Kind, tmp_path: Path) -> None:
    positions = [sample(1, kafka.now_ms())]
    with locked_server(live_kind, tmp_path / "locked") as port:
        right = Settings.read(tile38_urls=f"redis://:s3cret@127.0.0.1:{port}")
        with live_writer(right, positions):
            assert all_of(right).positions == positions
        for wrong in (f"redis://:wrong@127.0.0.1:{port}", f"redis://127.0.0.1:{port}"):
            with pytest.raises(ShardError):
                Connection(*parse_shards([wrong]))
            answer = all_of(Settings.read(tile38_urls=wrong))
            assert (answer.positions, answer.partial) == ([], True)
            assert answer.missing == (f"127.0.0.1:{port}", "all partitions")


def test_a_server_that_hangs_counts_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flight_platform.live.connection.TIME_LIMIT_S", 0.2)
    monkeypatch.setattr("flight_platform.live.link.TIME_LIMIT_S", 0.2)

    async def hang() -> tuple[LiveAnswer, float]:
        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:  # it may be cancelled: the loop ends before it sees that its client has left
                writer.close()

        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        live = LiveReader(Settings.read(tile38_urls=f"redis://127.0.0.1:{port}"))
        with pytest.raises(ShardError, match="no answer"):
            await asyncio.to_thread(Connection, *parse_shards([f"redis://127.0.0.1:{port}"]))
        started = time.monotonic()
        answer = await live.all()
        took = time.monotonic() - started
        await live.close()
        server.close()
        return answer, took

    answer, took = asyncio.run(hang())
    assert answer.partial
    assert took < 10, "and not for ever"
