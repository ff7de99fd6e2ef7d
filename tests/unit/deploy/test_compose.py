"""The compose file: valid by its schema, and true to the code that it runs."""

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import typer.main
import yaml

from cli.main import app
from cli.programs import ROOT
from flight_platform.settings import PREFIX, Settings

TEXT = (ROOT / "deploy" / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("flight-platform")}
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
    published = {name: service["ports"][0].split(":")[1] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "kafka": settings.kafka_bootstrap.rpartition(":")[2],
        "postgres": "15432",
        "tile38": settings.tile38_urls[0].rpartition(":")[2],
        "api-active": str(settings.active_port),
        "api-history": str(settings.history_port),
        "dagster-web": str(settings.dagster_port),
    }


def test_every_image_is_pinned() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z0-9./-]+:\d+(\.\d+)+", service["image"]), service["image"]


def test_what_runs_on_is_watched() -> None:
    assert {name for name in LONG_RUNNING if "healthcheck" not in SERVICES[name]} == set()


def test_nothing_waits_for_more_than_a_service_can_give() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_healthy" if other in LONG_RUNNING else "service_completed_successfully"
            assert how["condition"] == wanted, f"{name} waits for {other}"


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_processes_have_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]


def test_nobody_is_privileged_and_no_password_is_written_down() -> None:
    assert not any(service.get("privileged") for service in SERVICES.values())
    assert set(re.findall(r"PASSWORD: (.*)", TEXT)) == {"${FLIGHT_DB_PASSWORD:?set it in deploy/.env}"}
