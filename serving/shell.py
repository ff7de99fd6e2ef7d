"""What surrounds every request: access log, metrics and the boundary at which an unforeseen error becomes a 500.

    request ──► Observed (log, metrics) ──► AnyOrigin ──► Boundary ──► routes

Pure ASGI, so that answers stream through untouched.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flight_platform.telemetry import HTTP_DURATION, HTTP_REQUESTS
from serving.problems import ProblemError, render

log = structlog.get_logger()

QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds by machines
UNMATCHED: Final = "unmatched"  # one label for all paths that are none of ours
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "3600",
}


class Observed:
    """Counts, times and logs each request under its route's template, never under its raw path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and watches the answer go by."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, sent_bytes = 499, 0  # 499: the client left before an answer (as nginx logs it)

        async def watch(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent_bytes += len(message.get("body", b""))
            await send(message)

        start_s = time.perf_counter()
        try:
            await self.app(scope, receive, watch)
        finally:
            _record(scope, status, sent_bytes, time.perf_counter() - start_s)


def _record(scope: Scope, status: int, sent_bytes: int, duration_s: float) -> None:
    route = getattr(scope.get("route"), "path", UNMATCHED)
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    HTTP_REQUESTS.labels(route, method, str(status)).inc()
    HTTP_DURATION.labels(route).observe(duration_s)
    client = scope.get("client")
    (log.debug if route in QUIET else log.info)(
        "http_request",
        method=method,
        route=route,
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        status=status,
        duration_ms=round(duration_s * 1000, 1),
        bytes=sent_bytes,
        client=client[0] if client else None,
    )


class AnyOrigin:
    """Pages of any origin may read (the CORS protocol of the Fetch standard).

    Told to everybody and not only to pages: an answer that is the same whoever asks needs no `Vary: Origin`, with which
    a cache would keep nothing for a crowd. The edge counts on that.
    """

    def __init__(self, app: ASGIApp, *, expose: Sequence[str]) -> None:
        self.app = app
        every = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": ", ".join(expose)}
        self._every = [(name.lower().encode(), value.encode()) for name, value in every.items()]
        self._preflight = Response(status_code=204, headers=every | _PREFLIGHT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a preflight itself; passes every other request on and adds its headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            await self._preflight(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._every]
            await send(message)

        await self.app(scope, receive, told)


class Boundary:
    """Turns what nothing else caught into a 500 problem that tells nothing of our insides; the log has the cause."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; where the answer has begun already, the connection is cut by raising."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if isinstance(error, ExceptionGroup) and begun:
                raise
            log.exception("request_failed", path=scope["path"])
            if begun:
                raise
            problem = ProblemError(500, "internal-error", "Something failed on our side; it is in our log")
            await render(problem)(scope, receive, send)
