"""The compose file: valid by its schema, and true to the code that it runs."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from cli.main import app
from cli.programs import ROOT, haproxy, programs
from flight_platform.settings import PREFIX, Settings

TEXT = (ROOT / "deploy" / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("flight-platform")}
WATCHERS = ("prometheus", "alertmanager")
LONG_RUNNING = {name for name, service in SERVICES.items() if service.get("restart") != "no"}


def test_it_is_a_compose_file() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


@pytest.mark.parametrize("name", sorted(name for name, service in OURS.items() if "entrypoint" not in service))
def test_each_service_runs_a_command_that_there_is(name: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in SERVICES[name]["command"]:
        if not hasattr(command, "commands"):
            break
        assert word in command.commands, f"flight has no command {word}"
        command = command.commands[word]
    assert not hasattr(command, "commands"), "the command is not complete"


def test_every_setting_exists() -> None:
    own = {"FLIGHT_DB_PASSWORD", "FLIGHT_ANALYST_PASSWORD"}  # of the compose file alone
    used = set(re.findall(rf"{PREFIX}[A-Z0-9_]+", re.sub(r"(?m)#.*$", "", TEXT))) - own
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert used <= known
    assert len(used) > 8


def test_ports_are_published_once_and_on_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    outside = [port.split(":")[1] for port in published]
    assert len(outside) == len(set(outside))


def test_published_ports_are_the_documented_ones() -> None:
    settings = Settings.model_construct()
    published = {name: service["ports"][0].split(":")[1] for name, service in SERVICES.items() if service.get("ports")}
    assert published == {
        "kafka": settings.kafka_bootstrap.rpartition(":")[2],
        "postgres": "15432",
        "tile38": settings.tile38_urls[0].rpartition(":")[2],
        "edge": str(settings.edge_port),
        "prometheus": str(settings.prometheus_port),
        "alertmanager": str(settings.alertmanager_port),
        "api-active": str(settings.active_port),
        "api-history": str(settings.history_port),
        "dagster-web": str(settings.dagster_port),
    }


def test_every_image_is_pinned() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+(\.\d+)+(-alpine)?", service["image"]), service["image"]


def test_what_runs_on_is_watched() -> None:
    assert {name for name in LONG_RUNNING if "healthcheck" not in SERVICES[name]} == set()


def test_nothing_waits_for_more_than_a_service_can_give() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_healthy" if other in LONG_RUNNING else "service_completed_successfully"
            assert how["condition"] == wanted, f"{name} waits for {other}"


@pytest.mark.parametrize("name", sorted({*OURS, *WATCHERS, "edge"}))
def test_what_needs_no_privileges_has_none(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]


def mounted(service: str, folder: Path, below: str) -> Path:
    """The files that a service reads below a folder of its own, laid out here; that folder."""
    for config in SERVICES[service]["configs"]:
        source = COMPOSE["configs"][config["source"]]
        text = source.get("content") or (ROOT / "deploy" / source["file"]).read_text()
        path = folder / str(config["target"]).removeprefix(below + "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_prometheus_reads_what_it_reads_beside_the_platform_and_knows_who_tells_metrics(tmp_path: Path) -> None:
    folder = mounted("prometheus", tmp_path, "/etc/prometheus")
    for path in ("prometheus.yml", "rules/flight.yml", "rules/edge.yml"):
        assert (folder / path).read_text() == (ROOT / "deploy" / "prometheus" / path).read_text()
    if shutil.which("promtool"):
        done = subprocess.run(
            ["promtool", "check", "config", folder / "prometheus.yml"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    settings = Settings.model_construct()
    ports = {
        "api-active": settings.active_port,
        "api-history": settings.history_port,
        "edge": settings.edge_metrics_port,
    }
    told = {each["labels"]["process"]: each for each in json.loads((folder / "targets.json").read_text())}
    expected = {name for name in LONG_RUNNING if name in OURS and "profiles" not in SERVICES[name]} | {"edge"}
    assert told.keys() == {name for name in expected if not name.startswith("dagster")}
    for name, each in told.items():
        port = ports.get(name.removesuffix("-2"), COMPOSE["x-environment"]["FLIGHT_METRICS_PORT"])
        assert each["targets"] == [f"{name}:{port}"]
        assert each["labels"].get("hop") == (name if name in ("track", "live", "history") else None)
    (hub,) = json.loads((folder / "alertmanagers.json").read_text())
    assert [f"http://{target}" for target in hub["targets"]] == [COMPOSE["x-environment"]["FLIGHT_ALERTMANAGER_URL"]]


def test_alertmanager_reads_the_same_routes(tmp_path: Path) -> None:
    folder = mounted("alertmanager", tmp_path, "/etc/alertmanager")
    path = folder / "alertmanager.yml"
    assert path.read_text() == (ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text()
    if shutil.which("amtool"):
        done = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WATCHERS)
def test_who_watches_is_started_as_beside_the_platform(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cli.programs.shutil.which", lambda program, **_: f"/usr/bin/{program}")
    (embedded,) = (p for p in programs(Settings.read(var=tmp_path)) if p.name == name)
    own = ("--config.file", "--storage", "--web.listen-address")  # paths and addresses: each of its own
    flags = {flag for flag in embedded.arguments[1:] if not flag.startswith(own)}
    assert flags <= {flag.rstrip() for flag in SERVICES[name]["command"]}


def test_the_edge_is_told_of_the_services_and_haproxy_takes_it(tmp_path: Path) -> None:
    settings = SERVICES["edge-config"]["environment"] | {"FLIGHT_VAR": str(tmp_path)}
    written = CliRunner().invoke(
        app, SERVICES["edge-config"]["command"], env={k: v for k, v in settings.items() if "PASSWORD" not in v}
    )
    assert written.exit_code == 0, written.output
    path = Path(written.output.strip())
    text = path.read_text()
    behind = dict(re.findall(r" server (\S+) (\S+:\d+)", text))
    assert {place.partition(":")[0] for place in behind.values()} <= LONG_RUNNING
    active = [behind[f"{backend}-2"] for backend in ("active", "shared", "history", "grpc")]
    assert active == ["api-active-2:8081", "api-active-2:8081", "api-history-2:8082", "api-active-2:8083"]
    assert behind["dagster"] == "dagster-web:3000"
    assert {"0.0.0.0:8080", "0.0.0.0:8443", "0.0.0.0:8404"} <= set(re.findall(r"bind (\S+)", text))
    # It is written where the other container has it, and by whom that one runs as.
    assert SERVICES["edge"]["command"][-1] == f"/app/var/{path.relative_to(tmp_path.resolve())}"
    assert SERVICES["edge"]["volumes"] == SERVICES["edge-config"]["volumes"]
    assert f"--uid {SERVICES['edge']['user']} " in (ROOT / "deploy" / "Dockerfile").read_text()
    if haproxy():
        done = subprocess.run([haproxy() or "", "-c", "-f", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_nobody_is_privileged_and_no_password_is_written_down() -> None:
    assert not any(service.get("privileged") for service in SERVICES.values())
    assert set(re.findall(r"PASSWORD: (.*)", TEXT)) == {"${FLIGHT_DB_PASSWORD:?set it in deploy/.env}"}
