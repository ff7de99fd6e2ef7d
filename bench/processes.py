"""The platform's processes as children of a run: started, held, read and ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

from flight_platform.embedded.maven import CHECKOUT
from flight_platform.names import Stage
from flight_platform.settings import Settings


class Child:
    """One always-on process, through `bench.stage`, which sets what a measurement varies."""

    def __init__(self, stage: Stage, settings: Settings, folder: Path, *options: str) -> None:
        self.stage = stage
        self.instance = f"{stage}-{token_hex(3)}"
        self.log, self._told = folder / f"{self.instance}.log", folder / f"{self.instance}.json"
        setpriv = shutil.which("setpriv")  # lets the kernel end it should we be killed
        with_us = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        self._words = [*with_us, sys.executable, "-m", "bench.stage", str(stage), f"--tell={self._told}", *options]
        self._environment = (
            os.environ
            | settings.environment()
            | {
                "FLIGHT_INSTANCE": self.instance,
                "FLIGHT_LOG_FORMAT": "json",
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._words,
                cwd=CHECKOUT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours: it is ended in our order
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._running().pid

    def suspend(self) -> None:
        """Holds it."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it in good order, or without order where that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait(self, timeout_s: float) -> dict[str, Any]:
        """Waits for its end; what it told."""
        code = self._running().wait(timeout_s)
        if code or not self._told.exists():
            raise RuntimeError(f"{self.instance} ended with {code}:\n" + "\n".join(self._tail()))
        told: dict[str, Any] = json.loads(self._told.read_text())
        return told

    def check(self) -> None:
        """Raises where it has failed."""
        code = self._running().poll()
        if code:
            raise RuntimeError(f"{self.instance} ended with {code}:\n" + "\n".join(self._tail()))

    def said(self, event: str) -> bool:
        """Whether its log has that event; raises where it has failed."""
        self.check()
        return f'"event": "{event}"' in self.log.read_text()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.instance} does not run")
        return self._process

    def _tail(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()[-15:]
