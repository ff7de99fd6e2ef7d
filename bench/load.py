"""A load of HTTP requests: so many connections, each of which asks again as soon as it is answered, for so long.

`wrk` asks where it is on PATH, a loop of our own where it is not: that one takes some 40 us a request, and so is
what is measured wherever the server is quicker. Either way its own processor time is told: a load program that was at
work all the time (`bound`) tells its own rate and not the server's.
"""

import asyncio
import json
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, getrusage
from typing import Final
from urllib.parse import urlsplit

import uvloop

from bench.measure import percentile

WRK: Final = "wrk"
_BOUND: Final = 0.9  # of a core: then it waits for nobody
_REPORT: Final = """
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"us":%d,"bytes":%d,"failed":%d,"p50":%d,"p99":%d}\\n', summary.requests,
    summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load came to."""

    requests: int
    failed: int  # answers of status 400 and above, and none at all
    seconds: float
    received: int  # bytes, heads included
    p50_ms: float
    p99_ms: float
    client_cpu_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def bound(self) -> bool:
        """Whether the load program was what limited it."""
        return self.client_cpu_s / self.seconds > _BOUND


def load(url: str, headers: Mapping[str, str], connections: int, seconds: int) -> Loaded:
    """Asks for one thing over and over, longer where that is too short for an answer; RuntimeError where none comes."""
    for longer in (1, 4, 16):
        loaded = (_wrk if shutil.which(WRK) else _own)(url, headers, connections, seconds * longer)
        if loaded.requests:
            return loaded
    raise RuntimeError(f"no answer from {url}")


def _wrk(url: str, headers: Mapping[str, str], connections: int, seconds: int) -> Loaded:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_REPORT)
        script.flush()
        words = [WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", script.name]
        for name, value in headers.items():
            words += ["-H", f"{name}: {value}"]
        before = getrusage(RUSAGE_CHILDREN)
        done = subprocess.run([*words, url], capture_output=True, text=True, check=False, timeout=seconds + 60)
        after = getrusage(RUSAGE_CHILDREN)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    told = json.loads(lines[-1])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    times = {"seconds": told["us"] / 1e6, "p50_ms": told["p50"] / 1000, "p99_ms": told["p99"] / 1000}
    return Loaded(told["requests"], told["failed"], received=told["bytes"], client_cpu_s=used, **times)


class _Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, until: float, tell: "_Told") -> None:
        self._request, self._until, self._told = request, until, tell
        self._answer = bytearray()
        self._asked = 0.0
        self._whole: int | None = None  # bytes of the answer, head included; None: unknown yet, or chunked
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # it is a stream's
        self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        self._told.left -= 1
        if not self._told.left:
            self._told.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._told.received += len(data)
        self._answer += data
        if self._whole is None:
            self._whole = _whole(self._answer)
        if self._whole is None or len(self._answer) < self._whole:
            return
        now = time.perf_counter()
        self._told.latencies_ms.append((now - self._asked) * 1000)
        self._told.failed += self._answer[9:10] >= b"4"
        if now < self._until and self._transport is not None:
            self._ask()
        elif self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        self._answer.clear()
        self._whole = None
        self._asked = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)


class _Told:
    """What the connections tell."""

    def __init__(self, connections: int) -> None:
        self.latencies_ms: list[float] = []
        self.failed, self.received, self.left = 0, 0, connections
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()


def _whole(answer: bytes | bytearray) -> int | None:
    """How long an answer is, of which this is the beginning; None where that cannot be told yet."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(answer, 0, end + 2)
    if length is not None:
        return end + 4 + (0 if answer[9:12] == b"304" else int(length[1]))
    if b"chunked" in answer[:end].lower():
        return len(answer) if answer.endswith(_LAST_CHUNK) else None
    return end + 4


def _own(url: str, headers: Mapping[str, str], connections: int, seconds: int) -> Loaded:
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    target = f"{place.path}?{place.query}" if place.query else place.path
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {place.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    context: ssl.SSLContext | None = None
    if place.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def ask() -> tuple[_Told, float]:
        loop, told, began = asyncio.get_running_loop(), _Told(connections), time.perf_counter()
        for _ in range(connections):
            make = _Asker(request, began + seconds, told)
            await loop.create_connection(lambda make=make: make, host, port, ssl=context)
        await asyncio.wait_for(told.ended, seconds + 60)
        return told, time.perf_counter() - began

    used = time.process_time()
    told, lasted = uvloop.run(ask())
    used = time.process_time() - used
    p50, p99 = (percentile(told.latencies_ms, share) for share in (0.5, 0.99))
    return Loaded(len(told.latencies_ms), told.failed, lasted, told.received, p50, p99, used)
