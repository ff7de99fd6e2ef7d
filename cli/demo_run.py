"""The demonstration on a running platform: a past that is loaded once, and a present that goes on."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.demo import PAST, PRESENT, Recording
from cli.programs import ROOT, Program, feed_program
from cli.progress import Progress
from cli.readiness import answers_json, wait_for
from flight_platform.errors import FlightError
from flight_platform.settings import PREFIX, Settings

if TYPE_CHECKING:
    from cli.supervisor import Supervisor

_LOAD_TIMEOUT_S: Final = 180.0
_SETTLE_TIMEOUT_S: Final = 60.0
_REPORT_EVERY_S: Final = 5.0


def present_program(settings: Settings) -> Program:
    """The feed that plays the present, over and over."""
    path = settings.var.resolve() / "downloads" / PRESENT.file
    arguments = ("replay", str(path), "--rebase", "now", "--loop", "--speed", "1")
    return feed_program(settings, PRESENT.name, arguments)


def load_past(settings: Settings, supervisor: "Supervisor", paths: dict[str, Path], progress: Progress) -> None:
    """Loads the past recording so that it ends now; once in the life of a data folder."""
    marker = settings.var / "downloads" / f"{PAST.name}.loaded"
    if marker.exists():
        return
    with progress.step(f"loading the past: {PAST.about}"):
        _feed_to_its_end(settings, supervisor, PAST, paths[PAST.name])
        _wait_until_settled(settings)
    marker.write_text("loaded once; remove this file to load it again\n")


def _feed_to_its_end(settings: Settings, supervisor: "Supervisor", recording: Recording, path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "feed", "replay", str(path), "--rebase", "end-now"]
    command += ["--name", recording.name]
    environment = os.environ | settings.environment() | {f"{PREFIX}INSTANCE": f"feed-{recording.name}"}
    log = supervisor.log_of(f"feed-{recording.name}")
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, timeout=_LOAD_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise FlightError(f"the past is not loaded after {_LOAD_TIMEOUT_S:g} s; see {log}") from None
    if done.returncode:
        raise FlightError(f"the past could not be loaded; see {log}")


def _wait_until_settled(settings: Settings) -> None:
    """Until history has written all that was fed: nothing waits, and its ledger has stopped growing."""
    from cli.status import take

    end = time.monotonic() + _SETTLE_TIMEOUT_S
    before: Any = None
    while time.monotonic() < end:
        facts = take(settings)
        lags = [hop["lag_records"] for hop in facts["hops"] if hop["stage"] in {"track", "history"}]
        rows = facts["history"]["rows"] if facts["history"] else None
        if rows and rows == before and not any(lags):
            return
        before = rows
        time.sleep(1.2)  # longer than a beat, so that lag and rows are of different moments


def play_present(settings: Settings, program: Program, supervisor: "Supervisor", progress: Progress) -> int:
    """Starts the present and waits for its first positions; returns how many aircraft move."""
    supervisor.start_program(program)
    url = f"http://127.0.0.1:{settings.active_port}/v1/live"
    with progress.step(f"the present: {PRESENT.about}"):
        wait_for("the first position", lambda: bool(_moving(url)), supervisor, program.name)
    return _moving(url)


def _moving(url: str) -> int:
    flights = answers_json(url)["flights"]
    return sum(flight.get("source", PRESENT.name) == PRESENT.name for flight in flights)
