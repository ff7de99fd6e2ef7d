"""The stand-in and the real Tile38 give the same answers, over sockets and as processes of their own."""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis

from flight_platform.embedded.process import HOST, free_port, is_listening
from flight_platform.embedded.tile38 import EmbeddedLive, Kind

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]
WORLD = ("BOUNDS", -90, -180, 90, 180)
# Where a sphere is awkward: the poles, and both sides of the antimeridian.
AWKWARD = ((0.0, 179.9), (0.0, -179.9), (89.5, 3.0), (-89.0, 100.0))


class Link:
    """A client that sends words and reads answers, errors as texts."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), 10)
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace")

    def send(self, *words: object) -> None:
        self.socket.sendall(hiredis.pack_command(tuple(str(word) for word in words)))

    def read(self) -> object:
        while (answer := self._reader.gets()) is False:
            data = self.socket.recv(1 << 16)
            if not data:
                return "closed"
            self._reader.feed(data)
        return {"error": str(answer)} if isinstance(answer, hiredis.ReplyError) else answer

    def ask(self, *words: object) -> object:
        self.send(*words)
        return self.read()


@contextmanager
def linked(port: int) -> Iterator[Link]:
    link = Link(port)
    try:
        yield link
    finally:
        link.socket.close()


@contextmanager
def stand_in(*options: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The stand-in as its own command line starts it."""
    port = free_port()
    words = [sys.executable, "-m", "flight_platform.embedded.live_server", f"--port={port}", *options]
    with subprocess.Popen(words, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 10
            while not is_listening(port):
                assert process.poll() is None, "the live server ended"
                assert time.monotonic() < deadline, "the live server did not come up"
                time.sleep(0.02)
            yield port, process
        finally:
            process.kill()


def canonical(answer: object, in_order: bool) -> object:
    """An answer to compare; where the order is the index's own, the items of a page are sorted."""
    if not in_order and isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], list):
        return [answer[0], sorted(json.dumps(item, ensure_ascii=False) for item in answer[1])]
    return answer


@pytest.mark.parametrize("number", [1, 2])
def test_it_answers_as_the_transcript_of_tile38_says(live_server: EmbeddedLive, shared_data: Path, number: int) -> None:
    lines = (shared_data / f"tile38-1.37.0-transcript-{number}.jsonl").read_text().splitlines()
    with linked(live_server.port) as link:
        for line in lines:
            turn = json.loads(line)
            answer = link.ask(*turn["send"])
            if turn["compare"] == "error":
                assert isinstance(answer, dict), turn["send"]
            else:
                in_order = turn["compare"] == "exact"
                assert canonical(answer, in_order) == canonical(turn["reply"], in_order), turn["send"]
    assert len(lines) > 300


def sets(chance: random.Random) -> Iterator[tuple[object, ...]]:
    for number in range(400):
        latitude, longitude = chance.choice(
            (
                (chance.uniform(-90, 90), chance.uniform(-180, 180)),
                (chance.uniform(40, 50), chance.uniform(0, 10)),
                (chance.uniform(-5, 5), chance.choice((-1, 1)) * chance.uniform(178, 180)),
                (chance.choice((-1, 1)) * chance.uniform(84, 90), chance.uniform(-180, 180)),
            )
        )
        altitude = chance.choice((0, 100, 37000, -200, "1e3", "0100", '"200"'))
        fields = ("FIELD", "alt", altitude) if chance.random() < 0.7 else ()
        yield "SET", "f", f"id{number:03d}", *fields, "POINT", round(latitude, 5), round(longitude, 5)


def searches(chance: random.Random) -> Iterator[tuple[object, ...]]:
    low, high = chance.choice((0, -500, 100, "-inf")), chance.choice((37000, 36999.5, "+inf", 0))
    options = chance.choice(
        (
            ("WHERE", "alt", low, high),
            ("WHEREIN", "alt", 3, 0, 37000, "0100"),
            ("MATCH", "id0[1-3]*"),
            ("MATCH", "id00*", "MATCH", "*5"),
            (),
        )
    )
    options = ("LIMIT", 10_000, *options, chance.choice(("IDS", "COUNT", "POINTS", "OBJECTS")))
    latitude, longitude = chance.choice(
        (*AWKWARD, (round(chance.uniform(-90, 90), 4), round(chance.uniform(-180, 180), 4)), (45.0, 5.0))
    )
    metres = chance.choice((0, 100, 50_000, 200_000, 3e6, 2.1e7))
    zoom = chance.randrange(8)
    tile = chance.randrange(1 << zoom), chance.randrange(1 << zoom), zoom
    box = latitude, longitude, latitude + chance.uniform(0, 30), longitude + chance.uniform(0, 60)
    yield chance.choice(("WITHIN", "INTERSECTS")), "f", *options, "BOUNDS", *box
    yield chance.choice(("WITHIN", "INTERSECTS")), "f", *options, "CIRCLE", latitude, longitude, metres
    yield chance.choice(("WITHIN", "INTERSECTS")), "f", *options, "TILE", *tile
    yield "NEARBY", "f", *options, "POINT", latitude, longitude, metres
    yield "NEARBY", "f", "LIMIT", chance.choice((1, 5, 50)), "IDS", "POINT", latitude, longitude
    yield "SCAN", "f", *options


@pytest.mark.parametrize("live_kind", ["tile38"], indirect=True)
def test_both_find_the_same_wherever_on_earth(live_server: EmbeddedLive, tmp_path: Path) -> None:
    chance = random.Random(38)
    with (
        EmbeddedLive(tmp_path / "stand-in", free_port(), "stand-in") as other,
        linked(live_server.port) as real,
        linked(other.port) as ours,
    ):
        for words in sets(chance):
            assert real.ask(*words) == ours.ask(*words) == "OK"
        for words in (words for _ in range(80) for words in searches(chance)):
            in_order = words[0] in ("NEARBY", "SCAN")
            assert canonical(ours.ask(*words), in_order) == canonical(real.ask(*words), in_order), words


def test_objects_end_by_themselves(live_server: EmbeddedLive) -> None:
    with linked(live_server.port) as link:
        link.ask("SET", "flights", "short", "EX", 0.3, "POINT", 1, 2)
        link.ask("SET", "flights", "long", "EX", 60, "POINT", 1, 2)
        assert link.ask("SCAN", "flights", "COUNT") == 2
        deadline = time.monotonic() + 3
        while link.ask("SCAN", "flights", "IDS") != [0, ["long"]]:
            assert time.monotonic() < deadline, "the object outlived its time"
            time.sleep(0.05)


def test_an_ordinary_client_speaks_with_it(live_server: EmbeddedLive) -> None:
    client: Any = redis.Redis(host=HOST, port=live_server.port, protocol=2, driver_info=None)
    pipeline = client.pipeline(transaction=False)
    for number in range(1000):
        pipeline.execute_command("SET", "flights", number, "FIELD", "alt", 100 + number, "POINT", 48, 2)
    assert pipeline.execute() == [True] * 1000
    assert client.execute_command("INTERSECTS", "flights", "COUNT", *WORLD) == 1000
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("HELLO", 3)
    client.close()


def test_after_a_crash_it_starts_empty(live_kind: Kind, tmp_path: Path) -> None:
    with EmbeddedLive(tmp_path, free_port(), live_kind) as live:
        with linked(live.port) as link:
            link.ask("SET", "flights", "a", "POINT", 1, 2)
        live.kill()
        assert not is_listening(live.port)
        live.start()
        live.wait_ready()
        with linked(live.port) as link:
            assert link.ask("SCAN", "flights", "COUNT") == 0


def test_it_says_at_its_start_what_it_is() -> None:
    with stand_in() as (_, process):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said.count("\n") == 1
    assert "stand-in" in said
    assert "it is not Tile38" in said


def test_without_the_password_nothing_is_told() -> None:
    with stand_in("--requirepass", "secret") as (port, _), linked(port) as link:
        assert link.ask("PING") == "PONG"
        assert link.ask("SCAN", "f", "COUNT") == {"error": "ERR authentication required"}
        assert link.ask("AUTH", "guess") == {"error": "ERR invalid password"}
        assert link.ask("KEYS", "*") == {"error": "ERR authentication required"}
        assert link.ask("AUTH", "secret") == "OK"
        assert link.ask("SCAN", "f", "COUNT") == 0
        with linked(port) as another:
            assert another.ask("FLUSHDB") == {"error": "ERR authentication required"}


@pytest.mark.parametrize(
    ("options", "advice"),
    [(["--port", "1", "--host", "0.0.0.0"], "--requirepass"), (["--help"], "example:")],  # noqa: S104
)
def test_its_command_line_teaches(options: list[str], advice: str) -> None:
    words = [sys.executable, "-m", "flight_platform.embedded.live_server", *options]
    said = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert advice in said.stdout + said.stderr


def test_a_taken_port_is_said_plainly() -> None:
    with stand_in() as (port, _):
        words = [sys.executable, "-m", "flight_platform.embedded.live_server", f"--port={port}"]
        second = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "is another server running there?" in second.stderr
    assert "Traceback" not in second.stderr


def test_quit_and_a_broken_command_end_the_connection_alone() -> None:
    with stand_in() as (port, _):
        with linked(port) as link:
            assert link.ask("QUIT") == "OK"
            assert link.read() == "closed"
        with linked(port) as link:
            link.socket.sendall(b"not RESP at all\r\n")
            assert "Protocol error" in str(link.read())
            assert link.read() == "closed"
        with linked(port) as link:
            assert link.ask("PING") == "PONG"


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_a_client_that_never_reads_costs_no_memory_and_no_time() -> None:
    asked, flights, most_grown = 2000, 2000, 30_000_000
    with stand_in() as (port, process), linked(port) as lazy, linked(port) as busy:
        for number in range(flights):
            busy.send("SET", "flights", number, "FIELD", "cs", "x" * 200, "POINT", 48, 2)
        assert [busy.read() for _ in range(flights)] == ["OK"] * flights
        before = resident_bytes(process.pid)
        lazy.socket.setblocking(False)
        scan = hiredis.pack_command(("SCAN", "flights", "LIMIT", "100000"))
        lazy.socket.send(scan * asked)  # answers of 600 kB each, 1.2 GB together
        slowest_s = 0.0
        for _ in range(50):
            began = time.monotonic()
            assert busy.ask("GET", "flights", 7, "POINT") == ["48", "2"]
            slowest_s = max(slowest_s, time.monotonic() - began)
        assert resident_bytes(process.pid) - before < most_grown
        assert slowest_s < 1.0
        # It goes on where it stopped when the client reads at last.
        lazy.socket.setblocking(True)
        assert len(str(lazy.read())) > flights * 200
        assert len(str(lazy.read())) > flights * 200
