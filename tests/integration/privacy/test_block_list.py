"""`flight block-list` on a real database: what is on it, and that each edit and export is audited."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.main import EXIT_FAILURE, EXIT_SETTINGS, main
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration

LIST = """icao24,registration,callsign,action,from,until,reason
3C0001,,,drop,,2027-12-31,owner
,d-aima,,anonymise,2026-01-01,,LADD
,,RESCUE1,drop,,,a mission
"""


@pytest.fixture(autouse=True)
def ours(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", database["postgres_url"])


def flight(*words: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["block-list", *words])
    assert exit_info.value.code == code


def shown(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    flight("show", "--json")
    answer: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return answer


def audited(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT actor, action, subject, reason FROM ops.audit ORDER BY audit_id").fetchall()


def test_a_rule_comes_and_goes(connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    flight("add", "3C0001", "--reason", "owner", "--from", "2026-01-01", "--until", "2026-12-31", "--by", "ann")
    (rule,) = shown(capsys)
    number = rule.pop("id")
    assert rule == {
        "icao24": "3c0001",
        "registration": None,
        "callsign": None,
        "action": "drop",
        "from": "2026-01-01",
        "until": "2026-12-31",
        "reason": "owner",
        "address": "3c0001",
    }
    flight("remove", str(number), "--reason", "withdrawn", "--by", "bob")
    assert shown(capsys) == []
    assert audited(connection) == [("ann", "block", "3c0001", "owner"), ("bob", "unblock", "3c0001", "withdrawn")]
    flight("remove", str(number), "--reason", "again", code=EXIT_FAILURE)
    assert "flight block-list show" in capsys.readouterr().err


def test_a_file_is_taken_once_and_written_again(
    connection: psycopg.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(LIST)
    for _ in range(2):
        flight("import", str(file), "--by", "ann")
    first, hint, second = capsys.readouterr().out.splitlines()
    assert (first, second) == ("3 of 3 rules are new", "0 of 3 rules are new")
    assert "flight forget" in hint
    assert [action for _, action, *_ in audited(connection)] == ["block"] * 3
    flight("export", "--reason", "the other site", "--by", "bob")
    assert capsys.readouterr().out == LIST.replace("3C0001", "3c0001").replace("d-aima", "D-AIMA")
    assert audited(connection)[-1] == ("bob", "export", "block list", "the other site")


def test_a_bad_line_takes_none(
    connection: psycopg.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(LIST + ",,,drop,,,nobody\n")
    flight("import", str(file), code=EXIT_SETTINGS)
    assert "line 5" in capsys.readouterr().err
    assert shown(capsys) == []
    assert audited(connection) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["3C0001"], 'flight forget 3c0001 --reason "..."'),
        (["--registration", "d-aima", "--action", "anonymise"], 'flight forget --registration D-AIMA --reason "..."'),
        (["--callsign", "rescue1"], 'flight forget --callsign RESCUE1 --reason "..."'),
        (["3c0001", "--until", "2020-01-31"], "until 2020-01-31 (UTC): today it keeps nothing out"),
    ],
    ids=["address", "registration", "callsign", "past"],
)
def test_it_says_what_becomes_of_what_is_kept_already(
    words: list[str], says: str, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    flight("add", *words, "--reason", "owner")
    told = capsys.readouterr().out
    assert "what came before stays as it is, visible" in told
    assert says in told


def test_a_registration_holds_for_the_address_that_is_known(
    connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    flight("add", "--registration", "d-aima", "--action", "anonymise", "--reason", "owner")
    assert "no aircraft of that registration is known yet" in capsys.readouterr().out
    assert [rule["address"] for rule in shown(capsys)] == [None]
    connection.execute("INSERT INTO reference.aircraft (icao24, registration) VALUES ('3c65a1', 'D-AIMA')")
    assert [rule["address"] for rule in shown(capsys)] == ["3c65a1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["3c00", "--reason", "x"], "six lower-case hex digits"),
        (["--reason", "x"], "exactly one"),
        (["3c0001", "--callsign", "DLH1", "--reason", "x"], "exactly one"),
        (["3c0001", "--from", "2026-02-01", "--until", "2026-01-01", "--reason", "x"], "before"),
    ],
    ids=["address", "nobody", "two", "days"],
)
def test_what_cannot_be_is_one_line(
    words: list[str], says: str, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["block-list", "add", *words])
    assert exit_info.value.code in {EXIT_FAILURE, EXIT_SETTINGS}
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
