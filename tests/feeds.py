"""A feed as a process, and a receiver that it listens to."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flight_platform.settings import Settings
from tests.processes import CHECKOUT


class Feed:
    """`flight feed` as a process."""

    def __init__(self, settings: Settings, folder: Path, *arguments: str) -> None:
        environment = os.environ | settings.environment() | {"FLIGHT_LOG_FORMAT": "json", "FLIGHT_VAR": str(folder)}
        self.log = folder / "feed.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from cli.main import main; main()", "feed", *arguments],
                cwd=CHECKOUT,
                env=environment,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self, timeout_s: float = 60) -> int:
        return self._process.wait(timeout_s)

    def terminate(self) -> int:
        self.send(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def said(self, action: str) -> bool:
        return f'"event": "{action}"' in self.log.read_text()


@contextmanager
def feeding(settings: Settings, folder: Path, *arguments: str) -> Iterator[Feed]:
    feed = Feed(settings, folder, *arguments)
    try:
        yield feed
    finally:
        feed.kill()


class Receiver:
    """A BaseStation port that sends lines each few milliseconds, each of another moment, as long as it is let."""

    def __init__(self, first_address: int = 0x400000, aircraft: int = 20) -> None:
        self._aircraft = [f"{first_address + number:06x}" for number in range(aircraft)]
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.sent: list[tuple[str, int]] = []
        self.sending = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._server.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                try:
                    self._send(connection)
                except OSError:
                    continue  # the feed has ended

    def _send(self, connection: socket.socket) -> None:
        while not self._stop.wait(0.02):
            if not self.sending.is_set():
                continue
            now_ms = time.time_ns() // 1_000_000
            moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y/%m/%d,%H:%M:%S.") + f"{now_ms % 1000:03d}"
            lines = [
                f"MSG,3,1,1,{icao24.upper()},1,{moment},{moment},,35000,,,50.1,8.2,,,0,0,0,0\r\n"
                for icao24 in self._aircraft
            ]
            connection.sendall("".join(lines).encode())
            self.sent += [(icao24, now_ms) for icao24 in self._aircraft]
