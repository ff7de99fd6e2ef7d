"""The demonstration on a running platform: a past that is loaded once, and a present that goes on."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.demo import PAST, PRESENT, Recording
from cli.programs import ROOT, Program, feed_program
from cli.progress import Progress
from cli.readiness import answers_json, wait_for
from flight_platform.errors import FlightError
from flight_platform.settings import PREFIX, Settings

if TYPE_CHECKING:
    from cli.supervisor import Supervisor

_LOAD_TIMEOUT_S: Final = 600.0


def present_program(settings: Settings) -> Program:
    """The feed that plays the present, over and over."""
    path = settings.var.resolve() / "downloads" / PRESENT.file
    arguments = ("replay", str(path), "--rebase", "now", "--loop", "--speed", "1")
    return feed_program(settings, PRESENT.name, arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A recording as a stretch of the past: the name of its feed, and how its times are moved."""

    name: str
    recording: Recording
    moved: tuple[str, ...]
    about: str


def pasts(now: datetime) -> list[Past]:
    """Yesterday from the ground up, so that there is a whole day to archive and there are airports to tell, then the
    17 hours up to now."""
    days = (now.date() - timedelta(days=1) - PRESENT.recorded_on).days
    moved = ("--shift", str(days * 86_400), "--backfill")
    return [
        Past(name="paris-yesterday", recording=PRESENT, moved=moved, about=f"yesterday: {PRESENT.about}"),
        Past(name=PAST.name, recording=PAST, moved=("--rebase", "end-now"), about=f"up to now: {PAST.about}"),
    ]


def load_pasts(settings: Settings, supervisor: "Supervisor", paths: dict[str, Path], progress: Progress) -> None:
    """Feeds each stretch of the past, once in the life of a data folder. History writes it meanwhile."""
    for past in pasts(datetime.now(UTC)):
        marker = settings.var / "downloads" / f"{past.name}.loaded"
        if marker.exists():
            continue
        with progress.step(past.about):
            _feed_to_its_end(settings, supervisor, past, paths[past.recording.name])
        marker.write_text("loaded once; remove this file to load it again\n")


def _feed_to_its_end(settings: Settings, supervisor: "Supervisor", past: Past, path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "feed", "replay", str(path), *past.moved, "--name", past.name]
    environment = os.environ | settings.environment() | {f"{PREFIX}INSTANCE": f"feed-{past.name}"}
    log = supervisor.log_of(f"feed-{past.name}")
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, timeout=_LOAD_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise FlightError(f"the past is not loaded after {_LOAD_TIMEOUT_S:g} s; see {log}") from None
    if done.returncode:
        raise FlightError(f"the past could not be loaded; see {log}")


def spoil_an_hour_once(settings: Settings, progress: Progress) -> None:
    """Makes one hour of the past red on purpose: what a failed check looks like, and what an operator does about it."""
    from cli.demo_red_hour import spoil_an_hour

    marker = settings.var / "downloads" / "red-hour"
    if marker.exists():
        return
    with progress.step("one hour of the past spoiled on purpose, for a red check"):
        hour = spoil_an_hour(settings)
    progress.note("no hour of the past could be taken" if hour is None else f"it is {hour:%Y-%m-%d %H}:00 UTC")
    marker.write_text("spoiled once\n")


def wait_for_present(settings: Settings, program: Program, supervisor: "Supervisor", progress: Progress) -> None:
    """Waits until the active API shows an aircraft of the present."""
    url = f"http://127.0.0.1:{settings.active_port}/v1/live"
    with progress.step(f"the present: {PRESENT.about}"):
        wait_for("the first position", lambda: _moves(url), supervisor, program.name)


def _moves(url: str) -> bool:
    return any(flight["source"] == PRESENT.name for flight in answers_json(url)["flights"])
