"""A reader as a process of its own, as `flight serve` runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flight_platform.embedded.process import free_port
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Reader:
    """A running reader: its process and a client of it."""

    process: "subprocess.Popen[bytes]"
    client: httpx.Client

    def get(self, url: str, status: int = 200) -> Any:
        """The JSON of an answer with that status."""
        answer = self.client.get(url)
        assert answer.status_code == status, answer.text
        return answer.json()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends the process with a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def reader(name: str, **settings: Any) -> Iterator[Reader]:
    """The active or the history API, on free ports where none are given."""
    chosen = Settings.read(**{"grpc_port": free_port(), f"{name}_port": free_port()} | settings)
    port = chosen.active_port if name == "active" else chosen.history_port
    code = (
        f"from serving.{name} import run_{name}; from flight_platform.settings import Settings; "
        f"run_{name}(Settings.read())"
    )
    environment = {**os.environ, **chosen.environment(), "PYTHONWARNINGS": "error"}
    with (
        subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=CHECKOUT) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        try:
            wait_until(lambda: _healthy(process, client), 60, f"{name} API to answer")
            yield Reader(process, client)
        finally:
            if process.poll() is None:
                process.kill()


def _healthy(process: "subprocess.Popen[bytes]", client: httpx.Client) -> bool:
    assert process.poll() is None, f"it ended with {process.returncode}"
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
