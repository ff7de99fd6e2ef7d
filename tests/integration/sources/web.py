"""A web server for the tests of the sources: it says what it is told to, and remembers what it was asked."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    authorization: str | None
    form: str
    at_s: float  # monotonic


@dataclass(frozen=True)
class Said:
    """One answer; it comes `after_s` later."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0


@dataclass
class Web:
    """A running server."""

    url: str
    asked: list[Asked]


@contextmanager
def web(answer: Callable[[Asked], Said]) -> Iterator[Web]:
    """A server on the loopback for as long as the block runs."""
    asked: list[Asked] = []
    gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = self.rfile.read(length).decode()
            request = Asked(self.command, self.path, self.headers.get("Authorization"), form, time.monotonic())
            asked.append(request)
            said = answer(request)
            gone.wait(said.after_s)
            try:
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.content)))
                self.end_headers()
                self.wfile.write(said.content)
            except OSError:
                pass  # the client did not wait

        do_POST = do_GET  # noqa: N815  # the interface's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Web(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        gone.set()
        server.shutdown()
        thread.join()
        server.server_close()


def in_turn(*answers: Said) -> Callable[[Asked], Said]:
    """These answers, one a request, and the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
