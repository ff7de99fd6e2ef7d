"""The command as a newcomer meets it: help with examples, one clear line for an error, quick to start."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cli.main import EXIT_FAILURE, EXIT_SETTINGS, app, main
from streaming.sources import SOURCES

NOWHERE = "postgresql://flight:secret-word@127.0.0.1:1/flight"  # nobody listens on port 1


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, groups unfolded."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = sorted(commands(typer.main.get_command(app)))


def test_the_commands_are_those_that_people_rely_on() -> None:
    documented = {
        "up",
        "down",
        "status",
        "doctor",
        "sql",
        "logs",
        "feed",
        "track",
        "live",
        "history",
        "migrate",
        "compact",
        "stall",
    }
    grouped = {("serve", "active"), ("serve", "history"), ("topics", "create"), ("topics", "list")}
    grouped |= {("partitions", "ahead"), ("partitions", "list"), ("dead-letters", "list"), ("dead-letters", "show")}
    grouped |= {("dead-letters", "replay"), ("reference", "load"), ("reference", "list")}
    grouped |= {("archive", "list"), ("archive", "write"), ("archive", "verify"), ("archive", "drop")}
    grouped |= {("archive", "restore"), ("edge", "write")}
    assert {(name,) for name in documented} | grouped <= set(ALL)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}, prog_name="flight")
    assert result.exit_code == 0, result.output
    help_text, _, examples = result.output.partition("Example")
    assert f"flight {' '.join(words)}" in examples
    assert help_text.count("\n") > 3


def test_every_option_of_every_source_can_be_given() -> None:
    feed: Any = typer.main.get_command(app)
    offered = {parameter.name for parameter in feed.commands["feed"].params}
    assert {option for kind in SOURCES.values() for option in kind.options} | {"limit"} <= offered


def test_an_error_is_one_line_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", NOWHERE)
    with pytest.raises(SystemExit) as exit_info:
        main(["partitions", "list"])
    assert exit_info.value.code == EXIT_FAILURE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "127.0.0.1:1/flight does not answer" in said
    assert "`flight up`" in said
    assert "secret-word" not in said


def test_a_wrong_setting_has_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLIGHT_ACTIVE_PORT", "eighty")
    with pytest.raises(SystemExit) as exit_info:
        main(["status"])
    assert exit_info.value.code == EXIT_SETTINGS
    assert "FLIGHT_ACTIVE_PORT" in capsys.readouterr().err


def test_an_unknown_source_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["feed", "radar"])
    assert exit_info.value.code == EXIT_SETTINGS
    said = capsys.readouterr().err
    assert "replay" in said
    assert "readsb" in said


def test_a_recording_named_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["feed", "replay", "a.csv", "--file", "b.csv"])
    assert "named twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], {"dagster", "confluent_kafka", "psycopg", "fastapi", "pydantic_settings"}),
        (["track", "--help"], {"dagster", "great_expectations"}),
    ],
    ids=["help", "track"],
)
def test_help_imports_little(words: list[str], unwanted: set[str]) -> None:
    code = (
        "import sys; from cli.main import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert unwanted.isdisjoint(done.stderr.split())
