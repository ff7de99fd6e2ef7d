"""Receivers of alerts on real sockets: they take what is sent, or refuse it, and remember both."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Receiver:
    """A web server that takes JSON. `url` with the scheme that is wanted."""

    port: int = 0
    down: bool = False  # it answers 503
    got: list[Any] = field(default_factory=list)
    refused: int = 0

    def url(self, scheme: str = "json") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.down:
                made.refused += 1
            else:
                made.got.append(content)
            self.send_response(503 if made.down else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
