"""Which jars are fetched, when, and what is said when that cannot be; Maven itself stands aside."""

import os
import platform
from pathlib import Path

import pytest

from flight_platform.embedded import maven
from flight_platform.errors import FlightError, ToolMissingError


@pytest.fixture
def pom(tmp_path: Path) -> Path:
    path = tmp_path / "pom.xml"
    path.write_text("<project/>")
    return path


def put_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs before all others."""
    folder = tmp_path / "bin"
    put_program(folder, "java", "exit 0")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


FETCH = 'for word; do case "$word" in -DoutputDirectory=*) touch "${word#*=}/kafka.jar";; esac; done; echo run >> '


def test_jars_are_fetched_once_for_each_pom(tmp_path: Path, pom: Path, programs: Path) -> None:
    runs = tmp_path / "runs"
    put_program(programs, "mvn", FETCH + str(runs))
    cache = tmp_path / "cache"
    first = maven.libraries(cache, pom)
    assert (first / "kafka.jar").exists()
    assert maven.libraries(cache, pom) == first
    assert runs.read_text() == "run\n"
    pom.write_text("<project>changed</project>")
    assert maven.libraries(cache, pom) != first
    assert runs.read_text() == "run\nrun\n"


def test_a_failed_fetch_leaves_nothing_that_looks_complete(tmp_path: Path, pom: Path, programs: Path) -> None:
    put_program(programs, "mvn", "echo 'no route to repository'; exit 1")
    cache = tmp_path / "cache"
    with pytest.raises(FlightError, match=r"(?s)Maven reaches its repository.*no route to repository"):
        maven.libraries(cache, pom)
    assert [path.name for path in cache.iterdir()] == ["libraries.lock"]


def test_a_missing_program_names_its_package(
    tmp_path: Path, pom: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(ToolMissingError, match="apt-get install maven"):
        maven.libraries(tmp_path / "cache", pom)


def test_without_the_pom_it_says_where_it_runs(tmp_path: Path) -> None:
    with pytest.raises(FlightError, match="from a checkout"):
        maven.libraries(tmp_path, tmp_path / "pom.xml")


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64v8")])
def test_machines_are_named_as_the_artifacts_name_them(
    monkeypatch: pytest.MonkeyPatch, machine: str, name: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert maven.architecture() == name


def test_a_machine_without_servers_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ToolMissingError, match="FLIGHT_POSTGRES_URL"):
        maven.architecture()
