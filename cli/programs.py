"""What `flight up` runs: the list of programs, in the order in which they start. How they are run is `supervisor.py`'s.

    servers (Kafka, Postgres, live) ──► control (Dagster) ──► consumers (track, live, history) ──► apis
        ──► edge (HAProxy) ──► feeds ──► monitoring (Prometheus, Alertmanager)

They stop in the opposite order: first who would raise an alarm, last what others write to.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flight_platform.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
START_ORDER: Final = ("servers", "control", "consumers", "apis", "edge", "feeds", "monitoring")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FIRST_METRICS_PORT: Final = 9101
PROMETHEUS: Final = "prometheus"  # these two as Debian names them
ALERTMANAGER: Final = "prometheus-alertmanager"
HAPROXY: Final = "haproxy"
_ROOTS_PATH: Final = "/usr/local/sbin:/usr/sbin"
_INSTANCES: Final = 2  # of each API behind an edge: one may go
_PORTS_BETWEEN: Final = 10
_SOCKET_PATH_LIMIT: Final = 99  # bytes: the kernel allows 107, and supervisor binds "<path>.<pid>" first


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program under the supervisor. `port` is what it listens on, for the check before the start.

    `more_ports` are others that it listens on, each with the setting that moves it.
    """

    name: str
    group: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    setting: str = ""  # the setting that moves the port elsewhere
    more_ports: tuple[tuple[int, str], ...] = ()
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    whole_group: bool = False  # it has children of its own that must be stopped with it

    @property
    def process(self) -> str:
        """Its name as the supervisor knows it."""
        return f"{self.group}:{self.name}"

    @property
    def ports(self) -> list[tuple[int, str]]:
        """All that it listens on, each with its setting; none where it takes any that is free."""
        own = [(self.port, self.setting or "FLIGHT_METRICS_PORT")] if self.port else []
        return [*own, *self.more_ports]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One of the instances of both APIs: its number, and where each listens."""

    number: int
    active_port: int
    history_port: int
    grpc_port: int | None
    active_host: str = "127.0.0.1"
    history_host: str = "127.0.0.1"


def instances(settings: Settings) -> list[Instance]:
    """The first is where the settings say, each other ten ports further; without an edge there is but the first."""

    def further(port: int, number: int) -> int:
        return port + _PORTS_BETWEEN * (number - 1)

    return [
        Instance(
            number=number,
            active_port=further(settings.active_port, number),
            history_port=further(settings.history_port, number),
            grpc_port=None if settings.grpc_port is None else further(settings.grpc_port, number),
        )
        for number in range(1, (_INSTANCES if has_edge(settings) else 1) + 1)
    ]


def has_edge(settings: Settings) -> bool:
    """Whether there is an edge: HAProxy is installed, and it is known where the APIs will listen."""
    return haproxy() is not None and settings.active_port != 0 and settings.history_port != 0


def haproxy() -> str | None:
    """Where HAProxy is, if it is installed: Debian puts it where only root's PATH looks."""
    return shutil.which(HAPROXY) or shutil.which(HAPROXY, path=_ROOTS_PATH)


def live_replicas(settings: Settings) -> bool:
    """Whether every live server holds every flight, and there is more than one: then the edge offers any of them."""
    return 1 < len(settings.tile38_urls) <= settings.tile38_copies


def is_local(host: str | None) -> bool:
    """Whether an address is this machine's own: servers elsewhere are not ours to start."""
    return host in _LOOPBACK


def port_of(url: str, default: int) -> int:
    """The port of an address."""
    return urlsplit(url).port or default


def programs(settings: Settings, feeds: tuple["Program", ...] = ()) -> list[Program]:
    """All programs of the platform, with `feeds`, in the order in which they start."""
    listed = [*embedded_servers(settings), *_control(settings), *_data_plane(settings), *_edge(settings), *feeds]
    listed += _monitoring(settings)
    return sorted(listed, key=lambda program: START_ORDER.index(program.group))


def flight(
    name: str,
    group: str,
    arguments: tuple[str, ...],
    metrics_port: int | None = None,
    settings: dict[str, str] | None = None,
    **more: Any,
) -> Program:
    """One of our own processes: a `flight` command with a name of its own, and perhaps settings of its own."""
    environment = {"FLIGHT_INSTANCE": name, **(settings or {})}
    if metrics_port is not None:
        environment["FLIGHT_METRICS_PORT"] = str(metrics_port)
    command = (sys.executable, "-m", "cli.main", *arguments)
    return Program(name=name, group=group, arguments=command, environment=environment, **more)


def feed_program(settings: Settings, name: str, arguments: tuple[str, ...], number: int = 0) -> Program:
    """A feed under the supervisor; `number` tells feeds apart."""
    port = _metrics_port(settings, 3 + number)
    words = ("feed", *arguments, "--name", name)
    return flight(f"feed-{name}", "feeds", words, port, _hub(settings), port=port)


def embedded_servers(settings: Settings) -> list[Program]:
    """Those servers that the settings place on this machine."""
    found = []
    host, _, port = settings.kafka_bootstrap.partition(",")[0].rpartition(":")
    if is_local(host):
        found.append(_embedded("kafka", settings, int(port), "FLIGHT_KAFKA_BOOTSTRAP", stop_wait_s=30))
    url = settings.postgres_url.get_secret_value()
    if is_local(urlsplit(url).hostname):
        setting = "FLIGHT_POSTGRES_URL, FLIGHT_ANALYST_URL and FLIGHT_DAGSTER_URL"
        # INT is its fast shutdown; TERM would wait for its clients.
        found.append(_embedded("postgres", settings, port_of(url, 5432), setting, stop_wait_s=30, stop_signal="INT"))
    for number, live_url in enumerate(settings.tile38_urls, 1):
        if is_local(urlsplit(live_url).hostname):
            name = f"tile38-{number}"
            found.append(_embedded("tile38", settings, port_of(live_url, 9851), "FLIGHT_TILE38_URLS", name=name))
    return found


def _embedded(module: str, settings: Settings, port: int, setting: str, **more: Any) -> Program:
    name = str(more.pop("name", module))
    folder = settings.var.resolve() / name
    command = (sys.executable, "-m", f"flight_platform.embedded.{module}", "--folder", str(folder), "--port", str(port))
    return Program(name=name, group="servers", arguments=command, port=port, setting=setting, **more)


def _data_plane(settings: Settings) -> list[Program]:
    def port(number: int) -> int | None:
        return _metrics_port(settings, number)

    hub = _hub(settings)
    return [
        flight("track-1", "consumers", ("track",), port(0), hub, port=port(0)),
        flight("live-1", "consumers", ("live",), port(1), hub, port=port(1)),
        flight("history-1", "consumers", ("history",), port(2), hub, port=port(2)),
        *(_api("active", one.number, one.active_port, one.grpc_port) for one in instances(settings)),
        *(_api("history", one.number, one.history_port) for one in instances(settings)),
    ]


def _api(name: str, number: int, port: int, grpc_port: int | None = None) -> Program:
    setting = f"FLIGHT_{name.upper()}_PORT"
    own = {} if number == 1 else {setting: str(port)}
    if grpc_port is not None and own:
        own["FLIGHT_GRPC_PORT"] = str(grpc_port)
    more = () if grpc_port is None else ((grpc_port, "FLIGHT_GRPC_PORT"),)
    words = ("serve", name)
    program = flight(f"api-{name}-{number}", "apis", words, settings=own, port=port, setting=setting, more_ports=more)
    return replace(program, stop_wait_s=50)  # open requests come to their end first, exports of history above all


def _edge(settings: Settings) -> list[Program]:
    """HAProxy where it is installed. What it is told is written by `edge.py`."""
    program = haproxy()
    if program is None or not has_edge(settings):
        return []
    # A master that reads all anew on SIGUSR2, and no connection is lost by that.
    words = (program, "-W", "-f", str(settings.var.resolve() / "edge" / "haproxy.cfg"))
    more = [(settings.edge_metrics_port, "FLIGHT_EDGE_METRICS_PORT")]
    if settings.edge_tls_port is not None:
        more.append((settings.edge_tls_port, "FLIGHT_EDGE_TLS_PORT"))
    if live_replicas(settings):
        more.append((settings.edge_live_port, "FLIGHT_EDGE_LIVE_PORT"))
    port, setting = settings.edge_port, "FLIGHT_EDGE_PORT"
    return [Program(name="edge", group="edge", arguments=words, port=port, setting=setting, more_ports=tuple(more))]


def _metrics_port(settings: Settings, number: int) -> int | None:
    """9101 and on for one platform on a machine; FLIGHT_METRICS_PORT=0 lets every process take a free one."""
    if settings.metrics_port == 0:
        return 0
    return (settings.metrics_port or _FIRST_METRICS_PORT) + number


def socket_path(run_folder: Path, name: str) -> Path:
    """A socket in the data folder, or in the temporary folder where that path is longer than a socket's may be."""
    path = run_folder / f"{name}.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(run_folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"flight-{os.geteuid()}-{digest}-{name}.sock"


def dagster_home(settings: Settings) -> Path:
    """Where Dagster keeps what is not in Postgres."""
    return settings.var.resolve() / "dagster"


def first_day(settings: Settings) -> date:
    """The first day (UTC) that Dagster shows as partitions.

    Where the settings name none it is the day before this platform first started: a demonstration's past fits into it,
    and a page of partitions that is nearly full says more than one with a sliver of ten years.
    """
    if "history_start" in settings.model_fields_set:
        return settings.history_start
    kept = dagster_home(settings) / "first-day"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{datetime.now(UTC).date() - timedelta(days=1)}\n")
    return date.fromisoformat(kept.read_text().strip())


def code_socket(settings: Settings) -> Path:
    """Where Dagster's web pages and daemon reach the one server of our definitions."""
    return socket_path(settings.var.resolve() / "run", "dagster-code")


def _control(settings: Settings) -> list[Program]:
    """One server of the definitions for both: of their own, web and daemon start one each, which outlives them."""
    home = dagster_home(settings)
    first = str(first_day(settings))
    python, workspace = (sys.executable, "-m"), ("-w", str(home / "workspace.yaml"))
    served = ("--module-name", "assets.definitions", "--location-name", "assets.definitions")
    code = ("dagster", "api", "grpc", "--socket", str(code_socket(settings)), *served, "--working-directory", str(ROOT))
    web = ("dagster_webserver", "-h", "127.0.0.1", "-p", str(settings.dagster_port), *workspace)
    daemon = ("dagster._daemon", "run", *workspace)

    def program(name: str, arguments: tuple[str, ...], **more: Any) -> Program:
        environment = {"DAGSTER_HOME": str(home), "FLIGHT_INSTANCE": "dagster", "FLIGHT_HISTORY_START": first}
        environment |= _hub(settings)
        command = (*python, *arguments)
        return Program(name=name, group="control", arguments=command, environment=environment, whole_group=True, **more)

    return [
        program("dagster-code", code),
        program("dagster-web", web, port=settings.dagster_port, setting="FLIGHT_DAGSTER_PORT"),
        program("dagster-daemon", daemon),
    ]


def alertmanager_url(settings: Settings) -> str | None:
    """The Alertmanager that incidents go to: the one that the settings name, else the one that is started here."""
    if settings.alertmanager_url is not None or shutil.which(ALERTMANAGER) is None:
        return settings.alertmanager_url
    return f"http://127.0.0.1:{settings.alertmanager_port}"


def _hub(settings: Settings) -> dict[str, str]:
    """The same, for those who tell it: Dagster, and the processes that stand in for Dagster while it is silent."""
    hub = alertmanager_url(settings)
    return {"FLIGHT_ALERTMANAGER_URL": hub} if hub else {}


def monitoring_home(settings: Settings, name: str) -> Path:
    """Where Prometheus or Alertmanager keeps its configuration and its data."""
    return settings.var.resolve() / name


def _monitoring(settings: Settings) -> list[Program]:
    """Those that are installed, on loopback. What they are told is written by `monitoring.py`."""
    found = []
    words: tuple[str, ...]
    if shutil.which(ALERTMANAGER) and settings.alertmanager_url is None:
        home, port = monitoring_home(settings, "alertmanager"), settings.alertmanager_port
        words = (
            ALERTMANAGER,
            f"--config.file={home}/alertmanager.yml",
            f"--storage.path={home}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # alone: it gossips with nobody
        )
        setting = "FLIGHT_ALERTMANAGER_PORT"
        found.append(Program(name="alertmanager", group="monitoring", arguments=words, port=port, setting=setting))
    if shutil.which(PROMETHEUS):
        home, port = monitoring_home(settings, "prometheus"), settings.prometheus_port
        words = (
            PROMETHEUS,
            f"--config.file={home}/prometheus.yml",
            f"--storage.tsdb.path={home}/data",
            "--storage.tsdb.retention.time=7d",
            "--rules.alert.resend-delay=5s",  # the first words may be lost: it finds Alertmanager some seconds later
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )
        setting = "FLIGHT_PROMETHEUS_PORT"
        found.append(Program(name="prometheus", group="monitoring", arguments=words, port=port, setting=setting))
    return found
