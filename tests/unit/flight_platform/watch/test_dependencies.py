"""Whether a server answers in its own protocol: one that only takes connections does not."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from flight_platform.watch.dependencies import kafka_answers, live_answers


@contextmanager
def server(answer: Callable[[bytes], bytes | None]) -> Iterator[tuple[str, int]]:
    """One that takes a connection, reads once and says this; None: it hangs until the client has gone."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            said = answer(connection.recv(1000))
            if said is None:
                connection.recv(1)
            else:
                connection.sendall(said)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        thread.join()
        listening.close()


def test_a_broker_answers_with_the_number_of_the_request() -> None:
    with server(lambda request: b"\0\0\0\x0a" + request[8:12] + b"\0\0\0\0\0\0") as broker:
        assert kafka_answers(broker)


def test_what_speaks_another_protocol_is_no_broker() -> None:
    with server(lambda _: b"HTTP/1.1 400 Bad Request") as web:
        assert not kafka_answers(web)


@pytest.mark.parametrize("said", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"])
def test_a_live_server_answers_be_it_that_it_wants_a_password(said: bytes) -> None:
    with server(lambda _: said) as live:
        assert live_answers(live)


def test_a_server_that_hangs_does_not_answer_though_it_takes_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flight_platform.watch.dependencies._PATIENCE_S", 0.1)
    for check in (kafka_answers, live_answers):
        with server(lambda _: None) as hung, pytest.raises(TimeoutError):
            check(hung)


def test_nobody_there_cannot_be_reached() -> None:
    with pytest.raises(OSError, match="refused"):
        live_answers(("127.0.0.1", 9))
