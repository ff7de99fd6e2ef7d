"""One blocking connection to a live server that keeps several batches of commands in flight.

It does not know what the commands mean, and it does not come back by itself: that is the writer's (`writer.py`).
"""

import socket
import ssl
from collections import deque
from typing import Any, Final

import hiredis

from flight_platform.errors import ShardError
from flight_platform.live.shards import Shard
from flight_platform.names import COLLECTION_WATERMARKS
from flight_platform.telemetry import LIVE_COMMAND_DURATION

# A server that is silent for longer counts as away. It is waited for once an outage: whoever looks for it after that
# does so in the background. Shorter, and a busy machine or one long scan would look like an outage.
TIME_LIMIT_S: Final = 3.0
IN_FLIGHT: Final = 4  # batches: enough to hide the server's turn, and their replies fit any socket buffer
_NOT_YET: Final = object()


class Connection:
    """Connects and signs in, or raises ShardError; so does every method where the server fails, which closes it."""

    def __init__(self, shard: Shard) -> None:
        self._label = shard.label
        self._replies = hiredis.Reader(notEnoughData=_NOT_YET)
        self._waiting: deque[int] = deque()  # commands of each batch whose replies have not come
        try:
            self._socket = socket.create_connection((shard.host, shard.port), timeout=TIME_LIMIT_S)
        except OSError as error:
            raise ShardError(f"cannot connect: {error.strerror or error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if shard.tls:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=shard.host)
        except OSError as error:
            self.close()
            raise ShardError(f"no TLS: {error}") from error
        self._sign_in(shard.password)

    def send(self, payload: bytes, commands: int) -> None:
        """Sends a batch whose replies are all to be OK; waits only where too many batches are in flight."""
        while len(self._waiting) >= IN_FLIGHT:
            self._finish_batch()
        self._send(payload)
        self._waiting.append(commands)

    def ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The replies to these commands, after those of all that was sent before."""
        with LIVE_COMMAND_DURATION.labels(str(commands[0][0]), self._label).time():
            self.settle()
            self._send(b"".join(map(hiredis.pack_command, commands)))
            return [self._reply() for _ in commands]

    def settle(self) -> None:
        """Waits until the server has taken all that was sent."""
        while self._waiting:
            self._finish_batch()

    def close(self) -> None:
        self._socket.close()

    def _sign_in(self, password: str | None) -> None:
        try:
            if password is not None:
                self.ask([("AUTH", password)])
            self.ask([("GET", COLLECTION_WATERMARKS, "0")])  # not PING, which needs no password
        except ShardError as error:
            if "password" not in str(error) and "authentication" not in str(error):
                raise
            hint = "the password belongs in FLIGHT_TILE38_URLS, as in redis://:password@host:port"
            raise ShardError(f"{error} ({hint})") from error

    def _finish_batch(self) -> None:
        for _ in range(self._waiting[0]):
            self._reply()
        self._waiting.popleft()

    def _send(self, payload: bytes) -> None:
        try:
            self._socket.sendall(payload)
        except OSError as error:
            self.close()
            raise ShardError(f"cannot write: {error.strerror or error}") from error

    def _reply(self) -> Any:
        while (reply := self._replies.gets()) is _NOT_YET:
            try:
                data = self._socket.recv(65_536)
            except OSError as error:
                self.close()
                raise ShardError(f"no answer: {error.strerror or error}") from error
            if not data:
                self.close()
                raise ShardError("the server closed the connection")
            self._replies.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            self.close()
            raise ShardError(str(reply))
        return reply
