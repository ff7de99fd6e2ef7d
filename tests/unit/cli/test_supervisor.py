"""The process manager itself, with small programs of our own."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.lifecycle import stop_everything
from cli.processes import alive, descendants, resident_bytes
from cli.programs import Program
from cli.readiness import wait_for
from cli.supervisor import Supervisor, SupervisorError
from flight_platform.settings import Settings

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
CRASHER = "raise SystemExit('no such luck')"
ENVIRONMENT = (
    "import os, time; e = os.environ; print(e['FLIGHT_ALERT_URLS'], e['FLIGHT_INSTANCE'], flush=True); time.sleep(600)"
)


def program(name: str, code: str, group: str = "consumers") -> Program:
    return Program(
        name=name, group=group, arguments=(sys.executable, "-c", code), environment={"FLIGHT_INSTANCE": name}
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def run(*programs: Program, **settings: object) -> Supervisor:
        supervisor = Supervisor(Settings.read(var=tmp_path, **settings))
        supervisor.start(programs)
        started.append(supervisor)
        return supervisor

    yield run
    for supervisor in started:
        if supervisor.running():
            stop_everything(supervisor)


def until(done: Callable[[], bool], timeout_s: float = 15) -> None:
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_starts_what_it_is_told_to_and_leaves_nothing_behind(start: Callable[..., Supervisor]) -> None:
    supervisor = start(program("one", SLEEPER), program("two", SLEEPER, "feeds"))
    assert {state.state for state in supervisor.states()} == {"STOPPED"}
    supervisor.start_program(program("one", SLEEPER))
    supervisor.start_program(program("one", SLEEPER))  # twice is once
    until(lambda: "up" in supervisor.log_of("one").read_text() if supervisor.log_of("one").exists() else False)
    states = {state.name: state for state in supervisor.states()}
    assert states["one"].pid is not None
    assert states["two"].pid is None
    assert (resident_bytes(states["one"].pid) or 0) > 1_000_000
    pids = [supervisor.pid(), *descendants(supervisor.pid())]
    assert states["one"].pid in pids
    stop_everything(supervisor)
    assert not any(map(alive, pids))
    assert not supervisor.running()


def test_a_helper_that_outlives_its_program_is_ended(start: Callable[..., Supervisor]) -> None:
    helper = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)"
    )
    supervisor = start(program("one", f"{helper}; time.sleep(600)"))
    supervisor.start_program(program("one", helper))
    until(lambda: len(descendants(supervisor.pid())) == 2)
    pids = descendants(supervisor.pid())
    stop_everything(supervisor)
    assert not any(map(alive, pids))


def test_settings_reach_the_programs(start: Callable[..., Supervisor]) -> None:
    supervisor = start(program("one", ENVIRONMENT), alert_urls="json://a,json://b")
    supervisor.start_program(program("one", ENVIRONMENT))
    until(lambda: supervisor.log_of("one").exists() and "json" in supervisor.log_of("one").read_text())
    assert supervisor.log_of("one").read_text() == "json://a,json://b one\n"


def test_a_program_that_dies_ends_the_wait_with_its_last_words(start: Callable[..., Supervisor]) -> None:
    supervisor = start(program("one", CRASHER))
    supervisor.start_program(program("one", CRASHER))
    began = time.monotonic()
    with pytest.raises(SupervisorError, match=r"(?s)one does not start.*no such luck"):
        wait_for("one", lambda: False, supervisor, "one", timeout_s=60)
    assert time.monotonic() - began < 20
