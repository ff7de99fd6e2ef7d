"""Runs an HTTP application as a process: port, signals, the logs of libraries. What it serves is not its matter."""

import logging
import signal
import socket
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from flight_platform.errors import SettingsError
from flight_platform.settings import Settings
from flight_platform.telemetry import configure_logging

log = structlog.get_logger()

GRACE_S: Final = 10  # time for open requests to end once we are asked to stop


class _ToStructlog(logging.Handler):
    """What libraries log, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        log.log(
            record.levelno, "library_log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


def serve(app: FastAPI, settings: Settings, *, name: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C, then lets open requests end. Call it in the main thread.

    Raises SettingsError where the port cannot be had.
    """
    listener = _listen(settings.listen_host, port, f"FLIGHT_{name.upper()}_PORT")
    configure_logging(settings.log_format)
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(api=name, instance=settings.instance)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    # uvicorn raises the signal again once it has shut down, for a handler that was there before: that is a clean end.
    previous = {number: signal.signal(number, _ended) for number in (signal.SIGTERM, signal.SIGINT)}
    log.info("started", url=f"http://{settings.listen_host}:{listener.getsockname()[1]}")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
        log.info("stopped")


def _ended(_number: int, _frame: object) -> None:
    """The signal has done its work already."""


def _listen(host: str, port: int, variable: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"port {port} cannot be had ({error.strerror}): stop what uses it (`flight status` lists our own), "
            f"or take another with {variable}={port + 1 if port < 65535 else port - 1}"
        ) from error
    return listener
