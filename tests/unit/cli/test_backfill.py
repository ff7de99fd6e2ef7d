"""What `flight backfill` needs to be told."""

import pytest

from cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which stretch of which source"),
        (["--name", "roof"], "which stretch of which source"),
        (["--gap", "7", "--name", "roof"], "--gap says which source and stretch"),
        (["--name", "roof", "--from", "2026-01-31T13:00", "--to", "2026-01-31T12:00"], "must be before --to"),
    ],
)
def test_an_order_that_is_not_whole_is_refused_with_what_is_missing(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["backfill", "roof.jsonl", *words])
    assert exit_.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
