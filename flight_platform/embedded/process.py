"""A real server as a child of this process, or in its place: started, awaited, stopped, killed.

    prepare ──► start ──► wait_ready ──► stop | kill          (the demonstration's own use, and the tests')
    prepare ──► run_in_foreground                             (exec: a supervisor's signals reach the server)

What does not belong here: what makes each server what it is (`kafka.py`, `postgres.py`, `tile38.py`).
"""

import argparse
import fcntl
import functools
import logging
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self

from flight_platform.errors import FlightError, ServerUnavailableError, ToolMissingError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"  # embedded servers are for this machine alone
POLL_S = 0.02
LOG_TAIL_LINES = 15
PROGRESS_EVERY_S = 5.0
_NOT_FOR_CLIENTS: Final = range(20_000, 32_768)  # Linux gives outgoing connections those from 32768 on
_TRIES: Final = 100
_OURS: Final[set[int]] = set()


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of this machine that a server is run as."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> Self:
        """The account of that name."""
        entry = pwd.getpwnam(name)
        return cls(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a server is started."""

    words: Sequence[str]
    folder: Path  # its working folder
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own
    account: Account | None = None  # None: ours


def require_tool(program: str, package: str) -> str:
    """The path of a program; an error that says how to install it where there is none."""
    path = shutil.which(program)
    if path is None:
        raise ToolMissingError(f"{program} is not installed: sudo apt-get install {package}")
    return path


def free_port() -> int:
    """A port of the loopback that nobody listens on at the moment; a server that comes back will find it free.

    It is none of those that the system gives to outgoing connections: one of them would take the place of a server that
    is down for a moment. Nor is it given again while we run, to us or to a program beside us: until a server listens on
    it, it would look free to both.
    """
    for port in random.SystemRandom().sample(_NOT_FOR_CLIENTS, _TRIES):
        if not _reserved(port):
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {_TRIES} tried between {_NOT_FOR_CLIENTS.start} and {_NOT_FOR_CLIENTS.stop} is free")


def _reserved(port: int) -> bool:
    """Whether it is ours now: a lock on the byte of its number, in a file of this account, which our end releases."""
    if port in _OURS:  # a lock keeps out other processes only
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _OURS.add(port)
    return True


@functools.cache
def _reservations() -> int:
    """The open file; to close it would release all."""
    path = Path(tempfile.gettempdir()) / f"flight-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def is_listening(port: int) -> bool:
    """Whether somebody takes connections on a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say what takes its time, at once and every few seconds, so that nobody takes patience for a hang."""
    finished = threading.Event()
    began = time.monotonic()

    def remind() -> None:
        while not finished.wait(PROGRESS_EVERY_S):
            log.info("%s: %.0f s so far", doing, time.monotonic() - began)

    log.info("%s", doing)
    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        finished.set()
        reminder.join()


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a file's lock: of two processes that prepare the same thing, one works and one waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go with the file, however this process ends
        yield


def run_tool(launch: Launch, *, remedy: str, stdin: str | None = None) -> str:
    """Run a program to its end and give its output; its failure is an error that carries what it said."""
    account = launch.account
    done = subprocess.run(
        launch.words,
        cwd=launch.folder,
        env={**os.environ, **launch.environment},
        input=stdin or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-LOG_TAIL_LINES:])
        raise FlightError(f"{Path(launch.words[0]).name} ended with {done.returncode}; {remedy}\n{said}")
    return done.stdout


class EmbeddedServer(ABC):
    """A server on this machine's loopback with all its files below one folder."""

    title: ClassVar[str]
    usual_port: ClassVar[int]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.absolute()
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Fetch programs and lay out the folder; costs nothing when it has been done."""

    @abstractmethod
    def launch(self) -> Launch:
        """How to start it, once prepared."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work now, not only listens."""

    @property
    def log_path(self) -> Path:
        """What the server says when it is our child."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The process that runs it, if it is our child and alive."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it as a child; it need not answer yet."""
        if self.pid is not None:
            return
        if is_listening(self.port):
            raise ServerUnavailableError(
                f"{self.title} cannot start: port {self.port} is taken; stop what listens there or choose another port"
            )
        launch = self.launch()
        account = launch.account
        with self.log_path.open("ab") as output:
            self._process = subprocess.Popen(
                [*_end_with_us(self.stop_signal), *launch.words],
                cwd=launch.folder,
                env={**os.environ, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal is ours, and `kill` reaches its children
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when it does its work; an error with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if is_listening(self.port) and self.answers():
                return
            if self._process is not None and self._process.poll() is not None:
                raise ServerUnavailableError(self._failure(f"ended with {self._process.returncode}"))
            time.sleep(POLL_S)
        raise ServerUnavailableError(self._failure(f"does not answer after {timeout_s:g} s"))

    def stop(self, timeout_s: float = 30.0) -> None:
        """End it in good order; kill it when it takes too long."""
        if self.pid is not None and self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                log.warning("%s did not stop within %.0f s and is killed", self.title, timeout_s)
        self.kill()

    def kill(self) -> None:
        """End it and its children at once, as a crash of the machine would (SIGKILL)."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def run_in_foreground(self) -> NoReturn:
        """Become the server; does not return."""
        launch = self.launch()
        os.chdir(launch.folder)
        sys.stdout.flush()
        if launch.account is not None:
            os.setgroups([])
            os.setgid(launch.account.gid)
            os.setuid(launch.account.uid)
        os.execve(launch.words[0], list(launch.words), {**os.environ, **launch.environment})  # noqa: S606

    def __enter__(self) -> Self:
        self.prepare()
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _failure(self, what: str) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        said = "\n".join(lines[-LOG_TAIL_LINES:])
        return f"{self.title} on port {self.port} {what}; its log {self.log_path} ends:\n{said}"


def _end_with_us(stop_signal: signal.Signals) -> list[str]:
    """Words before a command that let the kernel end it in good order should we be killed.

    The kernel watches the thread that starts it, hence the main thread only.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"]


def run_from_command_line(server: type[EmbeddedServer], description: str) -> NoReturn:
    """`python -m flight_platform.embedded.<server> --folder F --port P`: prepare, then become the server."""
    module = f"flight_platform.embedded.{server.__module__.rpartition('.')[2]}"
    if server.__module__ == "__main__" and (spec := sys.modules["__main__"].__spec__) is not None:
        module = spec.name
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=f"{description} It prepares what is missing and then becomes the server, in the foreground;"
        f" {server.stop_signal.name} ends it in good order.",
        epilog=f"example: python -m {module} --folder var/{module.rpartition('.')[2]} --port {server.usual_port}",
    )
    parser.add_argument("--folder", type=Path, required=True, help="where its data and logs are kept")
    parser.add_argument("--port", type=int, required=True, help=f"TCP port on {HOST}")
    parser.add_argument("--prepare-only", action="store_true", help="prepare and end")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    embedded = server(arguments.folder, arguments.port)
    try:
        embedded.prepare()
        if arguments.prepare_only:
            sys.exit(0)
        embedded.run_in_foreground()
    except FlightError as refused:
        sys.exit(str(refused))
