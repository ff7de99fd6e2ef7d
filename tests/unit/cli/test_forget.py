"""`flight forget` asks first, and says what is wrong before it touches anything."""

from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app, main

COMMAND = ["forget", "a1b2c3", "--reason", "a letter"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command would have done."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("cli.forget._forget", lambda subject, **how: calls.append({"subject": str(subject), **how}))
    return calls


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_without_a_yes_nothing_is_done(answer: str, asked: list[dict[str, Any]]) -> None:
    result = CliRunner().invoke(app, COMMAND, input=answer)
    assert result.exit_code != 0
    assert "nothing was changed" in str(result.exception)
    assert asked == []


@pytest.mark.parametrize(("words", "answer"), [([], "y\n"), (["--yes"], "")], ids=["asked", "told"])
def test_with_a_yes_it_is(words: list[str], answer: str, asked: list[dict[str, Any]]) -> None:
    result = CliRunner().invoke(app, [*COMMAND, "--by", "ann", *words], input=answer)
    assert result.exit_code == 0, result.output
    assert asked == [{"subject": "a1b2c3", "reason": "a letter", "by": "ann", "as_json": False}]


def test_what_names_nobody_is_refused_before_the_question(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["forget", "a1b2", "--reason", "a letter"])
    assert "six lower-case hex digits" in capsys.readouterr().err
    assert asked == []
