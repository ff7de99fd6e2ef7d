"""Runs an HTTP application as a process: port, signals, the logs of libraries. What it serves is not its matter.

An application whose answers have no end (streams) sets `app.state.drain`: it is awaited when we are asked to stop, and
has to end them.
"""

import logging
import signal
import socket
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from flight_platform.errors import SettingsError
from flight_platform.settings import Settings
from flight_platform.telemetry import configure_logging

log = structlog.get_logger()

GRACE_S: Final = 10  # time for open requests to end once we are asked to stop
ABORT: Final = "flight.abort"  # the extension of a request's scope that cuts its connection, whatever waits in it
# What may wait in the kernel for a client that does not read: without a limit it grows to megabytes a client. The edge
# in front is near, so this is no limit to its speed.
_SEND_BUFFER_BYTES: Final = 256 * 1024
_UNREAD_LIMIT_MS: Final = 30_000  # then the kernel cuts a connection that takes nothing
_LONGEST_MESSAGE: Final = 1_000  # bytes a WebSocket client may send at once


class _ToStructlog(logging.Handler):
    """What libraries log, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        log.log(
            record.levelno, "library_log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


class _Http(HttpToolsProtocol):
    """Requests know how to cut their connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"cut": self.transport.abort}}


class _WebSocket(WebSocketsSansIOProtocol):
    """The same for WebSockets."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), ABORT: {"cut": self.transport.abort}}


class _Server(uvicorn.Server):
    """Once it is to stop it takes no more connections, so that an edge asks another; then it tells the application."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        drain = getattr(self.config.app.state, "drain", None)  # type: ignore[union-attr]
        if drain is not None:
            await drain()
        await super().shutdown(sockets)


def serve(app: FastAPI, settings: Settings, *, name: str, port: int, grace_s: int = GRACE_S) -> None:
    """Serves until SIGTERM or Ctrl-C, then lets open requests end within `grace_s`. Call it in the main thread.

    Raises SettingsError where the port cannot be had.
    """
    listener = listen(settings.listen_host, port, f"FLIGHT_{name.upper()}_PORT")
    configure_logging(settings.log_format)
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(api=name, instance=settings.instance)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=_Http,
        ws=_WebSocket,
        ws_max_size=_LONGEST_MESSAGE,
        ws_per_message_deflate=False,  # for each client anew: its price is the processor's
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
    )
    # uvicorn raises the signal again once it has shut down, for a handler that was there before: that is a clean end.
    previous = {number: signal.signal(number, _ended) for number in (signal.SIGTERM, signal.SIGINT)}
    log.info("started", url=f"http://{settings.listen_host}:{listener.getsockname()[1]}")
    try:
        _Server(config).run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
        log.info("stopped")


def _ended(_number: int, _frame: object) -> None:
    """The signal has done its work already."""


def listen(host: str, port: int, variable: str) -> socket.socket:
    """A socket at that port; raises SettingsError that names the variable which moves it elsewhere."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)  # its connections inherit both
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_LIMIT_MS)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"port {port} cannot be had ({error.strerror}): stop what uses it (`flight status` lists our own), "
            f"or take another with {variable}={port + 1 if port < 65535 else port - 1}"
        ) from error
    return listener
