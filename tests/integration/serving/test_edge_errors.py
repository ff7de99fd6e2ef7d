"""What HAProxy says by itself where nothing behind it answers as it should: problem details, as from everybody else."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest

from cli.edge import configure
from cli.programs import haproxy
from flight_platform.embedded.process import free_port, is_listening
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(haproxy() is None, reason="needs haproxy (Debian: apt install haproxy)"),
]

WITHIN_S = 30
HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def history(listener: socket.socket, held: list[socket.socket]) -> None:
    """In the place of the history API: healthy, and asked anything else it talks nonsense or says nothing at all."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the test is over
        asked = connection.recv(1000)
        if b"/silent" in asked:
            held.append(connection)
            continue
        with connection:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" if b"/healthz" in asked else b"nonsense\r\n\r\n"
            )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an edge that soon loses patience, without an active API behind it."""
    folder = tmp_path_factory.mktemp("edge")
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = Settings.read(
            var=folder,
            active_port=free_port(),
            grpc_port=None,
            history_port=listener.getsockname()[1],
            edge_port=free_port(),
            edge_tls_port=None,
            edge_metrics_port=free_port(),
        )
        path = configure(settings)
        text = path.read_text()
        for patience in ("wait-for-body time 5s", "timeout server 60s"):
            assert patience in text
            text = text.replace(patience, f"{patience.rpartition(' ')[0]} 200ms")
        path.write_text(text)
        threading.Thread(target=history, args=(listener, held), daemon=True).start()
        with (folder / "log").open("wb") as log, subprocess.Popen([haproxy() or "", "-f", path], stdout=log) as process:
            try:
                wait_until(lambda: is_listening(settings.edge_port), WITHIN_S, "the edge to listen")
                yield settings.edge_port
            finally:
                process.kill()
                listener.shutdown(socket.SHUT_RDWR)
                for connection in held:
                    connection.close()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nnot all", 408),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", 413),
        ("GET /v1/flights HTTP/1.1\r\nHost: a\r\n\r\n", 502),
        ("GET /v1/live HTTP/1.1\r\nHost: a\r\n\r\n", 503),
        ("GET /v1/flights/silent HTTP/1.1\r\nHost: a\r\n\r\n", 504),
    ],
)
def test_what_haproxy_says_by_itself_is_a_problem(port: int, request_text: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as client:
        client.sendall(request_text.encode())
        answer = HTTPResponse(client)
        answer.begin()
        told = json.loads(answer.read())
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Retry-After"] == ("2" if status == 503 else None)
    assert {"type", "title", "status", "detail"} <= told.keys()
    assert told["status"] == status
