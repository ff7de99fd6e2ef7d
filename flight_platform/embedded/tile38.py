"""The live store on this machine: the real Tile38 where there is one, else its stand-in.

A `tile38-server` on PATH is used; without one `live_server.py` takes its place, and says so. Neither keeps
anything on disk: the live consumer fills an empty one again from Kafka. What does not belong here: clients
(`flight_platform/live/`).
"""

import logging
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import ClassVar, Literal

from flight_platform.embedded.process import HOST, EmbeddedServer, Launch, run_from_command_line
from flight_platform.errors import ToolMissingError

log = logging.getLogger(__name__)

PROGRAM = "tile38-server"
# By how much its memory may grow before Go collects. At Go's own 100 it does so all the time, since the flights of a
# window are little and each SET leaves garbage: a fifth of the processor time of a SET.
COLLECT_PERCENT = "400"
ANSWER_TIMEOUT_S = 1.0
IMPORT_ROOT = Path(__file__).resolve().parents[2]

Kind = Literal["tile38", "stand-in"]


class EmbeddedLive(EmbeddedServer):
    """A live server on the loopback; empty at each start."""

    title: ClassVar[str] = "the live server"
    usual_port: ClassVar[int] = 19851

    def __init__(self, folder: Path, port: int, kind: Kind | Literal["auto"] = "auto") -> None:
        super().__init__(folder, port)
        self.kind: Kind = kind if kind != "auto" else "tile38" if shutil.which(PROGRAM) else "stand-in"

    @property
    def name(self) -> str:
        """What it is, for people."""
        return "Tile38" if self.kind == "tile38" else "embedded live server (stands in for Tile38)"

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Make the folder; say which of the two it will be."""
        if self.kind == "tile38" and shutil.which(PROGRAM) is None:
            raise ToolMissingError(
                f"{PROGRAM} is not on PATH: install Tile38 from its own distribution (https://tile38.com), or use"
                " the embedded live server (kind `stand-in`)"
            )
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        log.info("live server on port %d: %s", self.port, self.name)

    def launch(self) -> Launch:
        """Tile38 or the stand-in."""
        if self.kind == "stand-in":
            words = [sys.executable, "-m", "flight_platform.embedded.live_server", f"--port={self.port}"]
            return Launch(words=words, folder=IMPORT_ROOT)
        program = shutil.which(PROGRAM) or PROGRAM
        # Without -h it would listen on every address. No AOF: a restart would renew every time to live.
        where = ["-h", HOST, "-p", str(self.port), "-d", str(self.folder / "data")]
        environment = {"GOGC": os.environ.get("GOGC", COLLECT_PERCENT)}
        return Launch(words=[program, *where, "--appendonly", "no"], folder=self.folder, environment=environment)

    def answers(self) -> bool:
        """Whether it answers a PING."""
        try:
            with socket.create_connection((HOST, self.port), ANSWER_TIMEOUT_S) as link:
                link.sendall(b"*1\r\n$4\r\nPING\r\n")
                return link.recv(64).startswith(b"+PONG")
        except OSError:
            return False


if __name__ == "__main__":
    run_from_command_line(EmbeddedLive, "The live store: Tile38 where it is on PATH, else its stand-in.")
