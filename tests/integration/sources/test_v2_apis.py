"""The v2 APIs (adsb.lol, airplanes.live) through the source `readsb`: their flavour, how politely they are asked."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flight_platform.model import Kind, Position
from flight_platform.settings import Settings
from streaming.sources import open_source, readsb

pytestmark = pytest.mark.integration

NOW_MS = 1_748_736_000_123
Answer = tuple[int, dict[str, str], bytes]


def answer(now_ms: int, **entry: Any) -> Answer:
    """An answer as the v2 APIs give it: `ac`, times in milliseconds."""
    aircraft = {
        "hex": "a57b8b", "type": "adsb_icao", "flight": "SWA4543 ", "r": "N452WN", "t": "B737", "alt_baro": 39000,
        "gs": 455.4, "track": 175.5, "squawk": "6621", "emergency": "none", "lat": 42.28, "lon": -121.74,
        "seen_pos": 0.5, "seen": 0.1, "mlat": [], "tisb": [], "dst": 12.3, "dir": 45.0,
    } | entry  # fmt: skip
    content = {"ac": [aircraft], "msg": "No error", "now": now_ms, "total": 1, "ctime": now_ms, "ptime": 1}
    return 200, {}, json.dumps(content).encode()


@contextmanager
def api(answers: list[Answer]) -> Iterator[tuple[str, list[tuple[float, str]]]]:
    """A server with these answers, one after the other and the last one again and again; when it was asked for what."""
    asked: list[tuple[float, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((time.monotonic(), self.path))
            status, headers, content = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reports(url: str, count: int) -> list[Position]:
    """The first reports of an address that is polled each 50 ms."""
    stop, found = threading.Event(), list[Position]()
    timer = threading.Timer(20, stop.set)
    timer.start()
    try:
        for batch in open_source("readsb", Settings.read(), url=url, interval="0.05").batches(stop):
            found += batch.positions
            if len(found) >= count:
                break
    finally:
        timer.cancel()
    return found


@pytest.mark.parametrize("path", ["/v2/lat/52.31/lon/4.76/dist/100", "/v2/point/52.31/4.76/100"])
def test_their_flavour_is_understood_as_it_is(path: str) -> None:
    with api([answer(NOW_MS), answer(NOW_MS + 1000, alt_baro="ground", lat=42.29)]) as (url, asked):
        first, second = reports(url + path, 2)
    assert asked[0][1] == path
    assert (first.icao24, first.time, first.altitude_ft) == ("a57b8b", NOW_MS - 500, 39_000)
    assert (first.callsign, first.squawk, first.kind) == ("SWA4543", "6621", Kind.ADSB)
    assert (second.on_ground, second.altitude_ft, second.time) == (True, None, NOW_MS + 500)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_too_many_requests_is_obeyed(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readsb, "_THROTTLED_S", 1.0)
    with api([answer(NOW_MS), (429, headers, b"slow down"), answer(NOW_MS + 1000, lat=42.29)]) as (url, asked):
        assert len(reports(url + "/v2/point/52.31/4.76/100", 2)) == 2
    assert asked[2][0] - asked[1][0] >= 0.99
