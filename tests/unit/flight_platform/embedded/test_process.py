"""Children that are started, awaited and ended; small programs stand for the servers."""

import logging
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flight_platform.embedded import process
from flight_platform.embedded.process import (
    HOST,
    EmbeddedServer,
    Launch,
    free_port,
    is_listening,
    only_one,
    progress,
    require_tool,
    run_tool,
)
from flight_platform.errors import FlightError, ServerUnavailableError, ToolMissingError

LISTEN = """
import signal, socket, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "60"])
print("child", child.pid, flush=True)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


class Listener(EmbeddedServer):
    """A server that listens, with a child of its own."""

    title = "the listener"

    def __init__(self, folder: Path, port: int, code: str = LISTEN, manner: str = "obedient") -> None:
        super().__init__(folder, port)
        self.code = code
        self.manner = manner

    def prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def launch(self) -> Launch:
        return Launch(words=[sys.executable, "-c", self.code, str(self.port), self.manner], folder=self.folder)

    def answers(self) -> bool:
        return True


def is_running(pid: int) -> bool:
    """Whether a process does something; one that has ended and waits for its parent does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} was left behind"
        time.sleep(0.01)


def test_a_server_is_up_within_its_context_and_leaves_nothing(tmp_path: Path) -> None:
    with Listener(tmp_path / "server", free_port()) as server:
        assert is_listening(server.port)
        pid = server.pid
        assert pid is not None
        child = int(server.log_path.read_text().split()[1])
    assert not is_listening(server.port)
    wait_until_gone(pid)
    wait_until_gone(child)


def test_one_that_does_not_listen_to_reason_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Listener(tmp_path, free_port(), manner="stubborn")
    server.start()
    server.wait_ready(5)
    with caplog.at_level(logging.WARNING):
        server.stop(timeout_s=0.1)
    assert "did not stop within" in caplog.text
    assert server.pid is None
    assert not is_listening(server.port)


def test_one_that_dies_says_its_last_words(tmp_path: Path) -> None:
    server = Listener(tmp_path, free_port(), code="import sys; sys.exit('no room left')")
    with pytest.raises(ServerUnavailableError, match=r"(?s)ended with 1.*no room left"), server:
        pytest.fail("it never came up")


def test_one_that_is_silent_is_given_up(tmp_path: Path) -> None:
    server = Listener(tmp_path, free_port(), code="import time; time.sleep(60)")
    server.start()
    with pytest.raises(ServerUnavailableError, match=r"does not answer after 0\.1 s"):
        server.wait_ready(0.1)
    server.kill()


def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        server = Listener(tmp_path, other.getsockname()[1])
        with pytest.raises(ServerUnavailableError, match="choose another port"):
            server.start()


def test_no_outgoing_connection_takes_the_port_of_a_server_that_is_down() -> None:
    first_for_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        assert port < first_for_clients
        assert port not in {free_port() for _ in range(20)}


def test_a_port_is_given_to_one_process_alone_while_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would find it free: nobody listens there yet."""
    code = "import sys; from flight_platform.embedded.process import free_port; print(free_port()); sys.stdout.flush()"
    words = [sys.executable, "-c", f"{code}; sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        monkeypatch.setattr(process, "_NOT_FOR_CLIENTS", range(port, port + 1))
        monkeypatch.setattr(process, "_TRIES", 1)
        with pytest.raises(OSError, match="is free"):
            free_port()
        other.communicate("")
    assert free_port() == port
    with pytest.raises(OSError, match="is free"):
        free_port()


def test_starting_twice_is_starting_once(tmp_path: Path) -> None:
    with Listener(tmp_path, free_port()) as server:
        pid = server.pid
        server.start()
        assert server.pid == pid


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed (util-linux)")
def test_a_server_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.unit.flight_platform.embedded.test_process import Listener\n"
        f"server = Listener(Path({str(tmp_path)!r}), {free_port()})\n"
        "server.start(); server.wait_ready(); print(server.pid, flush=True); sys.stdin.read()"
    )
    root = Path(process.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server_pid = int(parent.stdout.readline())
        assert is_running(server_pid)
        parent.send_signal(signal.SIGKILL)
    wait_until_gone(server_pid)


def test_in_the_foreground_it_becomes_the_server(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.unit.flight_platform.embedded.test_process import Listener\n"
        f"Listener(Path({str(tmp_path)!r}), 1, code='import os; print(os.getpid(), os.getcwd())').run_in_foreground()"
    )
    root = Path(process.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read().split() == [str(parent.pid), str(tmp_path)]


def test_a_tool_that_is_not_there_names_its_package() -> None:
    with pytest.raises(ToolMissingError, match="sudo apt-get install nothing-known"):
        require_tool("no-such-program", "nothing-known")


def test_a_tool_that_fails_carries_what_it_said_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FlightError, match=r"(?s)sh ended with 3; try harder.*broken"):
        run_tool(Launch(words=["sh", "-c", "echo broken; exit 3"], folder=tmp_path), remedy="try harder")


def test_of_two_who_prepare_the_second_waits(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one.lock"
    code = (
        "import sys; from pathlib import Path; from flight_platform.embedded.process import only_one\n"
        f"with only_one(Path({str(path)!r})): print('in', flush=True)"
    )
    root = Path(process.__file__).parents[2]
    with only_one(path):
        second = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
    assert second.communicate(timeout=5)[0] == "in\n"


def test_what_takes_long_is_said_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PROGRESS_EVERY_S", 0.01)
    with caplog.at_level(logging.INFO), progress("fetching"):
        time.sleep(0.1)
    assert caplog.messages[0] == "fetching"
    assert caplog.messages[1].startswith("fetching: ")
