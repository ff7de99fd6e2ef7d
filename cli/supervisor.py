"""The process manager: renders its configuration, starts it, and speaks to it over its socket (XML-RPC).

What is run is `programs.py`'s matter, when it is run is `lifecycle.py`'s.
"""

import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any, Final, Self

from cli.programs import ROOT, START_ORDER, Program, socket_path
from flight_platform.errors import FlightError
from flight_platform.settings import PREFIX, Settings

_TEMPLATE: Final = ROOT / "deploy" / "embedded" / "supervisord.conf"
_START_TIMEOUT_S: Final = 15.0

# Three tries, a second apart and growing: a crash loop becomes FATAL, which `flight status` shows, and not noise.
_PROGRAM: Final = Template("""[program:$name]
command=$command
environment=$environment
autostart=false
autorestart=$autorestart
startsecs=2
startretries=5
stopsignal=$stop_signal
stopwaitsecs=$stop_wait_s
stopasgroup=$whole_group
killasgroup=true
redirect_stderr=true
stdout_logfile=$log_folder/$name.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
""")


class SupervisorError(FlightError):
    """The process manager did not do what it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A program as the supervisor sees it."""

    name: str
    group: str
    state: str  # RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL
    pid: int | None
    uptime_s: float | None
    problem: str


class Supervisor:
    """The supervisor of one data folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        var = settings.var.resolve()
        self.run_folder, self.log_folder = var / "run", var / "log"
        self.configuration = self.run_folder / "supervisord.conf"
        self.socket = socket_path(self.run_folder, "supervisor")

    def running(self) -> bool:
        """Whether it answers."""
        try:
            self._call("getPID")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def pid(self) -> int:
        """Its process id."""
        return int(self._call("getPID"))

    def start(self, programs: Iterable[Program]) -> None:
        """Starts it with these programs, none of them running yet."""
        self.run_folder.mkdir(parents=True, exist_ok=True)
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(self.render(programs))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment = {**inherited, **self._settings.environment(), f"{PREFIX}VAR": str(self._settings.var.resolve())}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SupervisorError(f"the process manager did not start: {(done.stderr or done.stdout).strip()}")
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.running():
            if time.monotonic() > deadline:
                raise SupervisorError(f"the process manager does not answer; see {self.log_folder}/supervisord.log")
            time.sleep(0.05)

    def render(self, programs: Iterable[Program]) -> str:
        """Its configuration."""
        listed = sorted(programs, key=lambda program: (START_ORDER.index(program.group), program.name))
        sections = [self._program(program) for program in listed]
        for group, members in groupby(listed, key=lambda program: program.group):
            names = ",".join(program.name for program in members)
            sections.append(f"[group:{group}]\nprograms={names}\npriority={100 * START_ORDER.index(group) + 100}\n")
        return Template(_TEMPLATE.read_text()).substitute(
            log_folder=_escape(str(self.log_folder)),
            run_folder=_escape(str(self.run_folder)),
            root=_escape(str(ROOT)),
            socket=_escape(str(self.socket)),
            user="user=root" if os.geteuid() == 0 else "",  # said on purpose: supervisor warns otherwise
            programs="\n".join(sections),
        )

    def _program(self, program: Program) -> str:
        environment = ",".join(f'{name}="{_escape(value)}"' for name, value in program.environment.items())
        return _PROGRAM.substitute(
            name=program.name,
            command=_escape(shlex.join(program.arguments)),
            environment=environment,
            # A recording that ends, ends; everything else that ends is started again.
            autorestart="unexpected" if program.group == "feeds" else "true",
            stop_signal=program.stop_signal,
            stop_wait_s=program.stop_wait_s,
            whole_group=str(program.whole_group).lower(),
            log_folder=_escape(str(self.log_folder)),
        )

    def start_program(self, program: Program) -> None:
        """Asks for a program's start and does not wait; one that runs already is left alone."""
        try:
            self._call("startProcess", program.process, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise SupervisorError(
                    f"{program.name} did not start ({fault.faultString}); see {self.log_of(program.name)}"
                ) from None

    def stop_group(self, group: str) -> None:
        """Asks a group's programs to stop and does not wait."""
        try:
            self._call("stopProcessGroup", group, False)
        except xmlrpc.client.Fault as fault:
            if "BAD_NAME" not in fault.faultString:
                raise SupervisorError(f"{group}: {fault.faultString}") from None

    def shutdown(self) -> None:
        """Ends the supervisor, and with it whatever still runs."""
        self._call("shutdown")

    def states(self) -> list[ProcessState]:
        """Every program, in the order of their start."""
        return [_state(info) for info in self._call("getAllProcessInfo")]

    def log_of(self, name: str) -> Path:
        """The log of a program."""
        return self.log_folder / f"{name}.log"

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        with _Closing(transport):
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)


class _Closing:
    """Closes the transport's connection, which its own class leaves open."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._transport.connection is not None:
            self._transport.connection.close()
            self._transport.connection = None


def _state(info: dict[str, Any]) -> ProcessState:
    alive = bool(info["pid"])
    return ProcessState(
        name=info["name"],
        group=info["group"],
        state=info["statename"],
        pid=info["pid"] or None,
        uptime_s=float(info["now"] - info["start"]) if alive else None,
        problem=info["spawnerr"] or ("" if alive or not info["exitstatus"] else f"ended with {info['exitstatus']}"),
    )


def _escape(text: str) -> str:
    """Supervisor expands %(...)s in every value."""
    return text.replace("%", "%%")
