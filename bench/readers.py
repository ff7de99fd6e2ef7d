"""The readers as processes of a run: the APIs, the edge in front of them, the naive API, a server of plain files."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cli.edge import configure
from cli.programs import HAPROXY, Instance
from flight_platform.embedded.maven import CHECKOUT
from flight_platform.embedded.process import free_port
from flight_platform.settings import Settings

NGINX = "nginx"
_START_S = 90
_BETWEEN = 10  # of the ports of two instances
_NGINX = """
daemon off; worker_processes 2; error_log stderr; pid {folder}/nginx.pid; {user}
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; location /files/ {{ alias {files}/; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A process that answers at an address once it is ready."""

    words: list[str]
    log: Path
    url: str
    port: int
    environment: dict[str, str] = field(default_factory=dict)


def api(name: str, settings: Settings, log: Path, **environment: str) -> Program:
    """The active or the history API."""
    code = f"from serving.{name} import Settings, run_{name}; run_{name}(Settings.read())"
    own = {**settings.environment(), "FLIGHT_LOG_FORMAT": "json", **environment}
    port = int(own[f"FLIGHT_{name.upper()}_PORT"])
    sign = "readyz" if name == "active" else "healthz"  # nobody writes history here: it is never fresh
    return Program([sys.executable, "-c", code], log, f"http://127.0.0.1:{port}/{sign}", port, own)


def edge(settings: Settings, log: Path) -> Program:
    """HAProxy as `flight up` runs it, over whatever instances there are."""
    words = [HAPROXY, "-W", "-f", str(configure(settings))]
    return Program(words, log, f"http://127.0.0.1:{settings.edge_port}/healthz", settings.edge_port)


def naive(live_url: str, postgres_url: str, files: Path, log: Path) -> Program:
    """The plain FastAPI."""
    port = free_port()
    words = [sys.executable, "-m", "bench.naive_api", "--port", str(port), "--live", live_url]
    words += ["--postgres", postgres_url, "--files", str(files)]
    return Program(words, log, f"http://127.0.0.1:{port}/openapi.json", port)


def file_server(files: Path, log: Path) -> Program:
    """nginx over a folder, under `/files/`."""
    port = free_port()
    folder = files.parent / f"nginx-{port}"
    folder.mkdir()
    path = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # the folder of a run is ours alone
    path.write_text(_NGINX.format(folder=folder, port=port, files=files, user=user))
    return Program([NGINX, "-p", str(folder), "-c", str(path)], log, f"http://127.0.0.1:{port}/", port)


@contextmanager
def running(*programs: Program) -> Iterator[list[int]]:
    """These, all ready, until the end of the body; their process ids."""
    with ExitStack() as stack:
        started = []
        for program in programs:
            out = stack.enter_context(program.log.open("wb"))
            environment = {**os.environ, **program.environment}
            process = stack.enter_context(
                subprocess.Popen(program.words, env=environment, cwd=CHECKOUT, stdout=out, stderr=subprocess.STDOUT)
            )
            stack.callback(process.terminate)
            started.append(process)
        for program, process in zip(programs, started, strict=True):
            _wait(program, process)
        yield [process.pid for process in started]


def has_edge() -> bool:
    """Whether HAProxy is here."""
    return shutil.which(HAPROXY) is not None


def has_file_server() -> bool:
    """Whether nginx is here."""
    return shutil.which(NGINX) is not None


def instance_ports() -> int:
    """A free port whose second instance's is free, too."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + _BETWEEN))
            except (OSError, OverflowError):
                continue
        return port


def of_instance(one: Instance) -> dict[str, str]:
    """What sets an instance apart, as environment."""
    return {
        "FLIGHT_ACTIVE_PORT": str(one.active_port),
        "FLIGHT_HISTORY_PORT": str(one.history_port),
        "FLIGHT_GRPC_PORT": str(one.grpc_port),
    }


def _wait(program: Program, process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(program.url, timeout=2).status_code < 500:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    tail = "\n".join(program.log.read_text(errors="replace").splitlines()[-8:])
    raise RuntimeError(f"{program.url} does not answer:\n{tail}")
