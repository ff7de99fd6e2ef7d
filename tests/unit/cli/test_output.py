"""Tables, ages and JSON as people and scripts read them."""

import json
from datetime import UTC, datetime

import pytest

from cli.output import age, megabytes, say_json, table


def test_numbers_stand_to_the_right_and_unknown_is_no_zero() -> None:
    assert table(["name", "count"], [["paris", 7], ["zurich", None], ["x", 1200]]).splitlines() == [
        "name    count",
        "──────  ─────",
        "paris       7",
        "zurich      -",
        "x        1200",
    ]


def test_a_table_without_rows_has_its_head() -> None:
    assert table(["a", "bc"], []) == "a  bc\n─  ──"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "-"), (0.04, "0.0 s"), (9.9, "9.9 s"), (11.4, "11 s"), (180, "3 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_ages(seconds: float | None, said: str) -> None:
    assert age(seconds) == said


def test_an_unknown_size_is_unknown() -> None:
    assert megabytes(None) == "-"
    assert megabytes(93_400_000) == "93 MB"


def test_json_has_moments_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "raw": b"\x01\xff"})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-01-02T03:04:05+00:00", "raw": "01ff"}
