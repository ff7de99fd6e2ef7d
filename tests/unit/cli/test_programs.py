"""What `flight up` would run, and the process manager's configuration for it."""

import configparser
import dataclasses
import json
import os
import socket
from pathlib import Path

import pytest

from cli.demo_run import present_program
from cli.monitoring import configure
from cli.preflight import PortTakenError, check_ports
from cli.programs import START_ORDER, Program, feed_program, programs, socket_path
from cli.supervisor import Supervisor
from flight_platform.settings import Settings


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without Prometheus and Alertmanager."""
    monkeypatch.setattr("cli.programs.shutil.which", lambda *_, **__: None)


@pytest.fixture
def all_installed(nothing_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has both."""
    monkeypatch.setattr("cli.programs.shutil.which", lambda program, **_: f"/usr/bin/{program}")


def names(settings: Settings) -> list[str]:
    return [program.name for program in programs(settings)]


def test_everything_runs_on_this_machine_by_default(tmp_path: Path) -> None:
    assert names(Settings.read(var=tmp_path)) == [
        "kafka",
        "postgres",
        "tile38-1",
        "dagster-code",
        "dagster-web",
        "dagster-daemon",
        "track-1",
        "live-1",
        "history-1",
        "api-active-1",
        "api-history-1",
    ]


@pytest.mark.usefixtures("all_installed")
def test_behind_an_edge_there_are_two_of_each_api(tmp_path: Path) -> None:
    listed = {program.name: program for program in programs(Settings.read(var=tmp_path))}
    apis = {name: program.port for name, program in listed.items() if program.group == "apis"}
    assert apis == {"api-active-1": 8081, "api-active-2": 8091, "api-history-1": 8082, "api-history-2": 8092}
    own = {"FLIGHT_INSTANCE": "api-active-2", "FLIGHT_ACTIVE_PORT": "8091", "FLIGHT_GRPC_PORT": "8093"}
    assert listed["api-active-2"].environment == own
    assert [port for port, _ in listed["edge"].ports] == [8080, 8404, 8443]
    assert [port for port, _ in listed["api-active-2"].ports] == [8091, 8093]


def test_haproxy_is_found_where_debian_has_it_whoever_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"/usr/local/sbin:/usr/sbin": "/usr/sbin/haproxy"}
    monkeypatch.setattr("cli.programs.shutil.which", lambda _program, path=None: places.get(path))
    (edge,) = (program for program in programs(Settings.read()) if program.name == "edge")
    assert edge.arguments[0] == "/usr/sbin/haproxy"


def test_servers_elsewhere_are_not_started_here() -> None:
    settings = Settings.read(
        kafka_bootstrap="kafka.example:9092",
        postgres_url="postgresql://flight:x@db.example/flight",
        tile38_urls="redis://live.example:9851,redis://127.0.0.1:29851",
    )
    servers = [program for program in programs(settings) if program.group == "servers"]
    assert [(server.name, server.port) for server in servers] == [("tile38-2", 29851)]


def test_no_two_programs_listen_on_one_port() -> None:
    settings = Settings.read()
    ports = [port for program in programs(settings, (present_program(settings),)) for port, _ in program.ports]
    assert len(ports) == len(set(ports)) > 8


def test_each_process_has_a_name_of_its_own_that_stays() -> None:
    settings = Settings.read()
    ours = [p for p in programs(settings, (present_program(settings),)) if "cli.main" in p.arguments]
    assert all(program.environment["FLIGHT_INSTANCE"] == program.name for program in ours)


def configuration(settings: Settings) -> configparser.RawConfigParser:
    text = Supervisor(settings).render(programs(settings, (present_program(settings),)))
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    return parsed


def test_every_program_is_configured_and_none_starts_by_itself(tmp_path: Path) -> None:
    parsed = configuration(Settings.read(var=tmp_path))
    listed = [section for section in parsed.sections() if section.startswith("program:")]
    assert len(listed) == 12
    for section in listed:
        assert parsed[section]["autostart"] == "false"
        assert parsed[section]["killasgroup"] == "true"
        assert parsed[section]["stdout_logfile"].startswith(str(tmp_path / "log"))
        assert parsed[section]["stdout_logfile_maxbytes"] == "10MB"
    assert parsed["program:postgres"]["stopsignal"] == "INT"
    assert parsed["program:dagster-web"]["stopasgroup"] == "true"


@pytest.mark.usefixtures("all_installed")
def test_groups_stop_in_the_opposite_order_of_their_start(tmp_path: Path) -> None:
    parsed = configuration(Settings.read(var=tmp_path))
    priorities = [int(parsed[f"group:{group}"]["priority"]) for group in START_ORDER]
    assert priorities == sorted(priorities)
    assert len(set(priorities)) == len(START_ORDER)


def test_no_secret_stands_in_the_configuration(tmp_path: Path) -> None:
    settings = Settings.read(
        var=tmp_path,
        postgres_url="postgresql://flight:geheim@127.0.0.1:15432/flight",
        alert_urls="slack://geheim",
        opensky_client_secret="geheim",
    )
    assert "geheim" not in Supervisor(settings).render(programs(settings))


def test_a_percent_sign_in_the_path_is_no_expansion(tmp_path: Path) -> None:
    text = Supervisor(Settings.read(var=tmp_path / "100%")).render([])
    assert "100%%" in text
    assert "100%/" not in text


def test_root_is_named_on_purpose(tmp_path: Path) -> None:
    text = Supervisor(Settings.read(var=tmp_path)).render([])
    assert ("user=root" in text) == (os.geteuid() == 0)


def test_a_socket_path_is_never_too_long(tmp_path: Path) -> None:
    assert socket_path(Path("/srv/flight/var/run"), "code") == Path("/srv/flight/var/run/code.sock")
    deep = tmp_path / ("d" * 120) / "run"
    short = socket_path(deep, "code")
    assert len(os.fsencode(short)) < 90
    assert short != socket_path(deep.parent / "other", "code")  # two data folders never share one


def test_a_taken_port_is_one_sentence_with_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        program = Program(name="kafka", group="servers", arguments=(), port=port, setting="FLIGHT_KAFKA_BOOTSTRAP")
        with pytest.raises(PortTakenError, match=rf"port {port} \(kafka\) is taken .* FLIGHT_KAFKA_BOOTSTRAP"):
            check_ports([program])
        edge = Program(name="edge", group="edge", arguments=(), more_ports=((port, "FLIGHT_EDGE_TLS_PORT"),))
        with pytest.raises(PortTakenError, match=rf"port {port} \(edge\) is taken .* FLIGHT_EDGE_TLS_PORT"):
            check_ports([edge])
    check_ports([program])  # free again
    with pytest.raises(PortTakenError, match=rf"two programs have one port \(kafka: {port}, edge: {port}\)"):
        check_ports([program, edge])


def test_one_port_for_two_programs_is_refused() -> None:
    program = Program(name="a", group="apis", arguments=(), port=1)
    with pytest.raises(PortTakenError, match="two programs have one port"):
        check_ports([program, dataclasses.replace(program, name="b")])


def test_a_program_that_takes_any_port_is_not_asked() -> None:
    check_ports([Program(name="a", group="apis", arguments=(), port=0)] * 2)


@pytest.mark.usefixtures("all_installed")
def test_prometheus_and_alertmanager_run_where_they_are_installed_and_dagster_knows(tmp_path: Path) -> None:
    settings = Settings.read(var=tmp_path)
    listed = {program.name: program for program in programs(settings)}
    assert [name for name, program in listed.items() if program.group == "monitoring"] == ["alertmanager", "prometheus"]
    feed = feed_program(settings, "paris", ("readsb",))
    for teller in (listed["dagster-daemon"], listed["track-1"], listed["live-1"], listed["history-1"], feed):
        assert teller.environment["FLIGHT_ALERTMANAGER_URL"] == "http://127.0.0.1:9093"
    for name in ("alertmanager", "prometheus"):
        assert f"--web.listen-address=127.0.0.1:{listed[name].port}" in listed[name].arguments


@pytest.mark.usefixtures("all_installed")
def test_an_alertmanager_elsewhere_is_not_started_here(tmp_path: Path) -> None:
    listed = programs(Settings.read(var=tmp_path, alertmanager_url="http://hub.example:9093"))
    assert [program.name for program in listed if program.group == "monitoring"] == ["prometheus"]


@pytest.mark.usefixtures("all_installed")
def test_prometheus_is_told_where_our_processes_listen_and_where_the_hub_is(tmp_path: Path) -> None:
    settings = Settings.read(var=tmp_path)
    configure(settings, programs(settings, (present_program(settings),)))
    home = tmp_path / "prometheus"
    assert json.loads((home / "alertmanagers.json").read_text()) == [{"targets": ["127.0.0.1:9093"]}]
    told = {one["labels"]["process"]: one for one in json.loads((home / "targets.json").read_text())}
    assert told["track-1"] == {"targets": ["127.0.0.1:9101"], "labels": {"process": "track-1", "hop": "track"}}
    assert told["api-history-1"] == {"targets": ["127.0.0.1:8082"], "labels": {"process": "api-history-1"}}
    assert told["feed-paris"]["labels"]["hop"] == "feed"
    assert told["edge"]["targets"] == ["127.0.0.1:8404"]
    assert (home / "rules" / "flight.yml").is_file()
    assert (tmp_path / "alertmanager" / "alertmanager.yml").is_file()
