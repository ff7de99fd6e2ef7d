"""Keys of the edge: made, listed, revoked; the file holds none of them."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from flight_platform.edge import keys_file
from flight_platform.errors import SettingsError
from flight_platform.settings import Settings


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLIGHT_VAR", str(tmp_path))
    return tmp_path


def flight(*words: str) -> Result:
    return CliRunner().invoke(app, ["keys", *words])


def test_a_key_is_shown_once_and_kept_as_its_hash() -> None:
    secret = flight("add", "bern", "--rate", "7").output.splitlines()[0]
    path = keys_file(Settings.read())
    (line,) = path.read_text().splitlines()
    assert secret not in line
    assert line.startswith(f"{hashlib.sha256(secret.encode()).hexdigest()} bern:7:client:")
    assert path.stat().st_mode & 0o077 == 0
    (listed,) = json.loads(flight("list", "--json").output)
    assert (listed["name"], listed["rate"], listed["role"]) == ("bern", 7, "client")


def test_a_key_may_have_an_amount_of_a_day() -> None:
    flight("add", "bern", "--daily", "1000")
    flight("add", "olten")
    path = keys_file(Settings.read())
    assert [line.count(":") for line in path.read_text().splitlines()] == [4, 3]  # as a file without amounts has it
    assert [one["daily"] for one in json.loads(flight("list", "--json").output)] == [1000, None]


def test_a_key_may_have_a_last_day_which_is_not_over() -> None:
    flight("add", "bern", "--expires", "2999-12-31")
    assert keys_file(Settings.read()).read_text().rstrip().endswith("::2999-12-31")
    assert [one["expires"] for one in json.loads(flight("list", "--json").output)] == ["2999-12-31"]
    assert "is over" in str(flight("add", "olten", "--expires", "2020-12-31").exception)


def test_a_revoked_key_is_gone_and_the_others_stay() -> None:
    for name in ("bern", "olten"):
        flight("add", name, "--operator")
    assert "is revoked" in flight("revoke", "bern").output
    (left,) = json.loads(flight("list", "--json").output)
    assert (left["name"], left["role"]) == ("olten", "operator")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("add", "a:b"), "is no name of a key"), (("add", "bern"), "has a key already"), (("revoke", "x"), "has no key")],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], said: str) -> None:
    flight("add", "bern")
    before = keys_file(Settings.read()).read_text()
    refused = flight(*words)
    assert isinstance(refused.exception, SettingsError)
    assert said in str(refused.exception)
    assert keys_file(Settings.read()).read_text() == before
