"""The map: what a picture costs with many aircraft, in a real Chromium.

    answers of the live API, one a second, made beforehand ──► the loopback ──► the page as it is built ──► a trace

`python -m bench.frames` runs it alone. It looks three times: while nobody touches the map, when it draws as often as
aircraft can be seen to move; while aircraft are drawn as often as can be over a map at rest; and while the map is moved
all the time. A picture has two costs, told apart: the page's own (script, processor time of its main thread, from the
browser's trace), and that of drawing, which is the graphics card's where there is one. Where there is none the
processor draws, in a process of its own, and then the rate of pictures is that of the processor.
"""

import argparse
import gzip
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from bench.machine import facts, load_average, say
from bench.measure import cpu_seconds, percentile
from bench.run import Run
from flight_platform.embedded.process import free_port
from flight_platform.kafka import now_ms
from flight_platform.model import Kind, Position, make_flight_id
from serving.live_formats import Format, Head, list_body, row_maker
from serving.web import DIST

AIRCRAFT: Final = 10_000
CHROMIUM: Final = which("chromium")
# No network but this machine's, and WebGL by the processor where there is no graphics card. The page is then put
# together by the processor too, as Chromium does by itself: told to do that by WebGL, it takes several times as long.
FLAGS: Final = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-unsafe-swiftshader"),
)
_CATEGORIES: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
_LOADING_S: Final = 30
_SETTLE_S: Final = 4.0  # code is compiled, the land is drawn
_FLY: Final = """() => {
  window.flown = true;
  const fly = () => { flightMap.layer.draw(); if (window.flown) requestAnimationFrame(fly); };
  fly();
}"""
_MEDIA: Final = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}


def answers(aircraft: int, seconds: int, start_ms: int) -> list[bytes]:
    """What the API answers in each second, packed: everybody has flown on and reports anew, the most there can be."""
    random = np.random.default_rng(1)
    longitudes, latitudes = random.uniform(-12, 32, aircraft), random.uniform(36, 60, aircraft)
    tracks = random.uniform(0, 360, aircraft)
    altitudes = random.integers(40, 1_600, aircraft) * 25
    made = []
    for second in range(seconds):
        longitudes += np.sin(np.radians(tracks)) * 0.002
        latitudes += np.cos(np.radians(tracks)) * 0.00125
        time_ms = start_ms + second * 1000
        positions = [
            Position(
                icao24=f"{0x3C0000 + number:06x}",
                flight_id=make_flight_id(0x3C0000 + number, start_ms // 1000),
                time=time_ms - number % 1000,
                received_at=time_ms - number % 1000 + 40,
                latitude=round(float(latitudes[number]), 5),
                longitude=round(float(longitudes[number]), 5),
                altitude_ft=int(altitudes[number]),
                ground_speed_kt=450.0,
                track_deg=round(float(tracks[number]), 1),
                vertical_rate_fpm=0,
                callsign=f"TST{number}",
                kind=Kind.ADSB,
                source="bench",
            )
            for number in range(aircraft)
        ]
        head = Head(time_ms=time_ms, watermark_ms=time_ms, partial=False, missing=())
        made.append(gzip.compress(list_body(Format.JSON, head, row_maker(Format.JSON)(positions)), 1))
    return made


@contextmanager
def page_server(packed: list[bytes]) -> Iterator[str]:
    """The page, and the answers, a second each from the first request on; its address."""
    began: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            file = DIST / ("index.html" if path == "/" else path.lstrip("/"))
            if path == "/v1/live":
                second = int(time.monotonic() - began.setdefault("at", time.monotonic()))
                self._answer(200, packed[min(second, len(packed) - 1)], "application/json", "gzip")
            elif path == "/v1/gaps":
                self._answer(200, b'{"gaps": []}', "application/json")
            elif DIST in file.resolve().parents and file.is_file():
                self._answer(200, file.read_bytes(), _MEDIA.get(file.suffix, "application/octet-stream"))
            else:
                self._answer(404, b"{}", "application/problem+json")

        def _answer(self, status: int, body: bytes, media_type: str, encoding: str = "identity") -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{port}/"
        server.shutdown()


@dataclass(frozen=True, slots=True)
class Picture:
    """What one picture took of the page's main thread, milliseconds."""

    began: float  # since the first
    script: float  # processor time of what draws it


def pictures(trace: dict[str, Any]) -> tuple[list[Picture], float]:
    """The pictures of a trace, and the processor time of the whole main thread, milliseconds a second."""
    events = trace["traceEvents"]
    frames = [e for e in events if e["name"] == "FireAnimationFrame" and "tdur" in e]
    if not frames:
        raise RuntimeError("the page drew nothing")
    thread = (frames[0]["pid"], frames[0]["tid"])
    mine = sorted((e for e in events if (e["pid"], e["tid"]) == thread and "tdur" in e), key=lambda e: e["ts"])
    tasks = [e for e in mine if e["name"] == "RunTask"]
    found: list[Picture] = []
    origin = frames[0]["ts"]
    drawing = iter([e for e in mine if e["name"] == "FireAnimationFrame"])
    event = next(drawing, None)
    for task in tasks:
        script = 0.0
        while event is not None and event["ts"] < task["ts"] + task["dur"]:
            script += event["tdur"] / 1000
            event = next(drawing, None)
        if script:
            found.append(Picture((task["ts"] - origin) / 1000, script))
    lasted_s = (tasks[-1]["ts"] - tasks[0]["ts"]) / 1e6
    return found, sum(task["tdur"] for task in tasks) / 1000 / lasted_s


def measure(run: Run) -> dict[str, Any]:
    """As a part of the whole comparison."""
    return frames(AIRCRAFT, run.pick(5, 10))


def frames(aircraft: int, seconds: float) -> dict[str, Any]:
    """So many aircraft for so long."""
    if CHROMIUM is None:
        raise RuntimeError("chromium is not installed (Debian: apt-get install chromium)")
    if not (DIST / "index.html").is_file():
        raise RuntimeError("the map is not built: make setup")
    say(f"map: the answers of {aircraft} aircraft")
    packed = answers(aircraft, int(3 * seconds + _LOADING_S), now_ms())  # the page goes by the clock of the answers
    with page_server(packed) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}#map=3.6/49/10")
        page.wait_for_function(f"document.querySelector('#count').textContent.replace(/\\D/g, '') === '{aircraft}'")
        page.wait_for_timeout(_SETTLE_S * 1000)
        say("map: untouched, then flown over, then moved, all the time")
        untouched = _trace(page, seconds)
        page.evaluate(_FLY)
        flown = _trace(page, seconds)
        page.evaluate("() => { window.flown = false; }")
        page.evaluate("flightMap.map.easeTo({center: [14, 51], duration: 120_000, easing: (share) => share})")
        moved = _trace(page, seconds)
        browser.close()
    return {"aircraft": aircraft, "untouched": untouched, "flown": flown, "moved": moved, "load": load_average()}


def _trace(page: Page, seconds: float) -> dict[str, Any]:
    browser = page.context.browser
    assert browser is not None  # noqa: S101  # it was launched
    drawer = _process("--type=gpu-process")
    browser.start_tracing(page=page, categories=_CATEGORIES)
    used, began = cpu_seconds(drawer), time.monotonic()
    page.wait_for_timeout(seconds * 1000)
    used, lasted = cpu_seconds(drawer) - used, time.monotonic() - began
    found, main_ms = pictures(json.loads(browser.stop_tracing()))
    script = [picture.script for picture in found]
    pauses = [b.began - a.began for a, b in pairwise(found)]
    return {
        "pictures_per_s": round((len(found) - 1) / (found[-1].began - found[0].began) * 1000, 1),
        "script_ms": {"mean": round(sum(script) / len(script), 2)}
        | {name: round(percentile(script, share), 2) for name, share in (("p50", 0.5), ("p99", 0.99))},
        "pause_ms": {name: round(percentile(pauses, share), 1) for name, share in (("p50", 0.5), ("p99", 0.99))},
        "main_thread_ms_per_s": round(main_ms),
        "drawing_ms": round(used / lasted * 1000 / (len(found) / lasted), 1),
    }


def _process(kind: str) -> int:
    """The process below us with that word on its command line."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        number = int(line.parent.name)
        with suppress(OSError):
            if kind.encode() in line.read_bytes() and _is_ours(number):
                return number
    raise RuntimeError(f"chromium has no process {kind}")


def _is_ours(number: int) -> bool:
    while number > 1 and number != os.getpid():
        number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
    return number == os.getpid()


def main() -> None:
    """Runs it and prints its numbers."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.frames", description=__doc__, epilog="example: python -m bench.frames --aircraft 5000"
    )
    parser.add_argument("--aircraft", type=int, default=AIRCRAFT)
    parser.add_argument("--seconds", type=float, default=10)
    words = parser.parse_args()
    result = {"machine": facts(), **frames(words.aircraft, words.seconds)}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
