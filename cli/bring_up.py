"""The steps of `flight up`, in order. Each is safe to repeat; what they start is listed in `programs.py`.

check ─► prepare ─► servers ─► tables, topics, partitions ─► consumers, APIs, feeds ─► Dagster ─► Prometheus
"""

import json
import logging
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cli import edge
from cli.monitoring import configure
from cli.preflight import check_ports, check_tools
from cli.programs import ROOT, Program, code_socket, dagster_home, has_edge, instances
from cli.progress import Progress, ProgressHandler
from cli.readiness import answers_ok, beats, wait_for
from flight_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.supervisor import Supervisor
    from flight_platform.embedded.process import EmbeddedServer

_DAGSTER_TIMEOUT_S: Final = 240.0  # its first start makes its tables
# In place of the checkout's workspace.yaml, with which web and daemon would start a code server each.
_WORKSPACE: Final = """# Written by `flight up`.
load_from:
  - grpc_server:
      socket: {socket}
      location_name: assets.definitions
"""
_FETCH_REMARK: Final = "flight_platform.embedded"


def check(settings: Settings, programs: Sequence[Program]) -> None:
    """Nothing starts where a tool is missing or a port is taken."""
    check_tools(settings)
    check_ports(programs)


def prepare(settings: Settings, programs: Sequence[Program], progress: Progress) -> "dict[str, EmbeddedServer]":
    """Fetches and lays out the embedded servers; returns them by the name of their program."""
    servers = embedded_servers(settings, programs)
    with _remarks(progress):
        for name, server in servers.items():
            with progress.step(f"preparing {name}"):
                server.prepare()
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    # Dagster reads its instance's configuration from its home; a copy, since a link breaks when the checkout moves.
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    (home / "workspace.yaml").write_text(_WORKSPACE.format(socket=json.dumps(str(code_socket(settings)))))
    configure(settings, programs)
    if has_edge(settings):
        edge.configure(settings)
    return servers


def embedded_servers(settings: Settings, programs: Sequence[Program]) -> "dict[str, EmbeddedServer]":
    """The embedded servers among the programs."""
    from flight_platform.embedded.kafka import EmbeddedKafka
    from flight_platform.embedded.postgres import EmbeddedPostgres
    from flight_platform.embedded.tile38 import EmbeddedLive

    kinds = {"kafka": EmbeddedKafka, "postgres": EmbeddedPostgres, "tile38": EmbeddedLive}
    found: dict[str, EmbeddedServer] = {}
    for program in programs:
        kind = kinds.get(program.name.partition("-")[0]) if program.group == "servers" else None
        if kind is not None and program.port is not None:
            found[program.name] = kind(settings.var.resolve() / program.name, program.port)
    return found


@contextmanager
def _remarks(progress: Progress) -> "Iterator[None]":
    """What the embedded servers log while they fetch, as notes of the progress."""
    logger, handler = logging.getLogger(_FETCH_REMARK), ProgressHandler(progress)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def start_servers(
    servers: "dict[str, EmbeddedServer]", programs: Sequence[Program], supervisor: "Supervisor", progress: Progress
) -> None:
    """Starts the servers side by side and waits for each."""
    from flight_platform.embedded.process import is_listening

    listed = [program for program in programs if program.group == "servers"]
    for program in listed:
        supervisor.start_program(program)
    for program in listed:
        server = servers[program.name]
        with progress.step(f"{getattr(server, 'name', server.title)} on port {server.port}"):
            wait_for(server.title, lambda s=server: is_listening(s.port) and s.answers(), supervisor, program.name)  # type: ignore[misc]


def lay_out(settings: Settings, progress: Progress) -> None:
    """Tables, the analysts' role, topics and the partitions of the days to come."""
    import psycopg

    from flight_platform.history.migrate import migrate
    from flight_platform.history.partitions import ensure_ahead
    from flight_platform.kafka import ensure_topics

    url = settings.postgres_url.get_secret_value()
    with progress.step("tables of history, role of the analysts"):
        migrate(url, settings.analyst_url.get_secret_value())
    with progress.step("topics"):
        ensure_topics(settings)
    with (
        progress.step(f"partitions for {settings.partitions_ahead_days} days ahead"),
        psycopg.connect(url, autocommit=True, connect_timeout=10) as connection,
    ):
        ensure_ahead(connection, datetime.now(UTC), settings.partitions_ahead_days)


def start_group(group: str, programs: Sequence[Program], supervisor: "Supervisor") -> None:
    """Starts a group's programs side by side and does not wait."""
    for program in programs:
        if program.group == group:
            supervisor.start_program(program)


def wait_for_data_plane(
    settings: Settings, programs: Sequence[Program], supervisor: "Supervisor", progress: Progress
) -> None:
    """Waits until every consumer beats, all APIs answer, and the edge in front of them.

    The APIs are ready only with fresh data, and the feeds come after them: so it is health that is waited for.
    """
    for program in programs:
        if program.group == "consumers":
            with progress.step(program.name):
                wait_for(program.name, lambda name=program.name: beats(settings, name), supervisor, program.name)  # type: ignore[misc]
    listed = instances(settings)
    awaited = [(f"api-active-{one.number}", one.active_port) for one in listed]
    awaited += [(f"api-history-{one.number}", one.history_port) for one in listed]
    if has_edge(settings):
        awaited.append(("edge", settings.edge_port))
    for name, port in awaited:
        url = f"http://127.0.0.1:{port}/healthz"
        with progress.step(f"{name} on port {port}"):
            wait_for(name, lambda url=url: answers_ok(url), supervisor, name)  # type: ignore[misc]


def wait_for_dagster(settings: Settings, supervisor: "Supervisor", progress: Progress) -> None:
    """Waits until Dagster's pages are served."""
    with progress.step(f"Dagster on port {settings.dagster_port}"):
        url = f"http://127.0.0.1:{settings.dagster_port}/server_info"
        wait_for("Dagster", lambda: answers_ok(url), supervisor, "dagster-web", _DAGSTER_TIMEOUT_S)
