"""The shell around every always-on process: signals, logs, metrics, heartbeat. Not what it does inside."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from flight_platform.collector import collecting_seldom
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.targets import announced, metrics_port
from flight_platform.telemetry import configure_logging, serve_metrics
from flight_platform.watch import dependencies, unread
from flight_platform.watch.heartbeats import Heartbeat
from flight_platform.watch.watchman import Deputy

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Process:
    """A running process: `stop` is set by SIGTERM and Ctrl-C; `beat` is what it tells of itself."""

    stop: threading.Event
    beat: Heartbeat


@contextmanager
def running(settings: Settings, stage: Stage, *, source: str = "") -> Iterator[Process]:
    """Runs the body as the process of a stage: call it in the main thread, and return when `stop` is set."""
    configure_logging(settings.log_format)
    structlog.contextvars.bind_contextvars(stage=str(stage), instance=settings.instance)
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: object) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    beat = Heartbeat(settings, stage, source=source)
    deputy = Deputy(settings)
    beat.then, beat.instead = deputy.look, deputy.look_alone
    beat.metrics_port = serve_metrics(metrics_port(settings), settings.listen_host)
    beat.start()
    log.info("started", metrics_port=beat.metrics_port)
    failed = True
    try:
        with (
            collecting_seldom(),
            dependencies.watched(settings),
            unread.watched(settings, beat),
            announced(settings, stage, beat.metrics_port),
        ):
            yield Process(stop, beat)
        failed = False
    finally:
        beat.stop(on_purpose=not failed)
        log.info("failed" if failed else "stopped", **beat.counts)
        for number, handler in previous.items():
            signal.signal(number, handler)
