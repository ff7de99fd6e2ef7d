"""The load program of our own, what a comparison of readers comes to, and what a trace of the map tells."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.frames import pictures
from bench.load import Loaded, _own, _whole
from bench.naive_api import flight
from bench.serving import rows_of


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        missing = self.path == "/missing"
        self.send_response(404 if missing else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"12345")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_connection_asks_at_least_once_and_every_answer_counts(address: str) -> None:
    loaded = _own(f"{address}/there?x=1", {"Accept-Encoding": "gzip"}, connections=3, seconds=0)
    assert (loaded.requests, loaded.failed) == (3, 0)
    assert loaded.received > 3 * 5
    assert loaded.p99_ms >= loaded.p50_ms > 0
    assert _own(f"{address}/missing", {}, connections=2, seconds=0).failed == 2


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", 43),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 48),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 59),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 27),
    ],
)
def test_it_knows_where_an_answer_ends(answer: bytes, whole: int | None) -> None:
    assert _whole(answer) == whole


def loaded(requests: int, client_cpu_s: float = 0.1) -> Loaded:
    return Loaded(requests, 0, 1.0, requests * 2_000, 1.5, 9.0, client_cpu_s)


def test_readers_are_compared_within_a_round() -> None:
    samples = [
        ("API itself", [(loaded(1_000), 0.5), (loaded(500), 0.25)]),
        ("naive", [(loaded(100), 1.0), (loaded(50), 0.5)]),
        ("file, nginx", [(loaded(2_000), 0.1), (loaded(1_000, client_cpu_s=0.95), 0.05)]),
    ]
    direct, naive, file = rows_of("a box", samples)
    assert (direct["of_direct"], direct["of_naive"], direct["of_file"]) == (None, 10, 0.5)
    assert (naive["of_direct"], naive["of_naive"], naive["cpu_us"]) == (0.1, None, 10_000)
    assert (file["of_direct"], file["of_file"]) == (2, None)
    assert [row["bound"] for row in (direct, naive, file)] == [False, False, True]
    assert (direct["per_s"], direct["kB"], direct["cpu_us"]) == (750, 2.0, 500)


def test_the_naive_api_reads_an_object_of_the_store() -> None:
    item = [b"3c6444-697dd5a0", [b"47.5", b"8.25"], [b"time", b"17", b"callsign", b"DLH9"]]
    assert flight(item) == {
        "flight_id": "3c6444-697dd5a0",
        "latitude": 47.5,
        "longitude": 8.25,
        "time": 17.0,
        "callsign": "DLH9",
    }


def event(name: str, ts: int, dur: int, tid: int = 1) -> dict[str, Any]:
    return {"name": name, "pid": 7, "tid": tid, "ts": ts, "dur": dur, "tdur": dur // 2}


def test_a_picture_is_all_script_of_one_task_of_the_main_thread() -> None:
    events = [
        event("RunTask", 0, 20_000),
        event("FireAnimationFrame", 1_000, 4_000),
        event("FireAnimationFrame", 6_000, 2_000),
        event("RunTask", 25_000, 5_000),  # something else
        event("RunTask", 40_000, 10_000),
        event("FireAnimationFrame", 41_000, 6_000),
        event("RunTask", 0, 1_000_000, tid=2),
    ]
    found, main_ms_a_second = pictures({"traceEvents": events})
    assert [(picture.began, picture.script) for picture in found] == [(-1, 3), (39, 3)]
    assert main_ms_a_second == pytest.approx(17.5 / 0.04)
    with pytest.raises(RuntimeError, match="drew nothing"):
        pictures({"traceEvents": events[3:4]})
