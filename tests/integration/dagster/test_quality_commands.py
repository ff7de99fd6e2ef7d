"""`flight hours` and `flight gaps` on a real database: what they say, what they change, and how they end."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from cli.main import main
from flight_platform.history.partitions import HOUR
from flight_platform.history.verdicts import may_compact
from flight_platform.testing import DatabaseUrls
from tests.integration.dagster.test_hours import fill, incidents

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def environment(database: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reads the environment: this database, no Kafka, a folder of its own."""
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", database["postgres_url"])
    monkeypatch.setenv("FLIGHT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("FLIGHT_VAR", str(tmp_path))


def flight(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_a_red_hour_is_listed_accepted_mended_and_rechecked(
    connection: psycopg.Connection, newest: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{newest:%Y-%m-%dT%H:%MZ}"
    fill(connection, newest, altitude_ft=900_000)
    assert flight("hours", "recheck", text) == 0
    assert "red  altitude_ft is possible: 1 of 20 rows are not" in capsys.readouterr().out
    assert flight("hours", "list", "--red", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["verdict"], listed["rows"], listed["failures"][0]["check"]) == ("red", 20, "positions")
    assert [is_open for _, is_open in incidents(connection)] == [True]

    assert flight("hours", "accept", text, "--by", "ada", "--reason", "a test bench") == 0
    assert may_compact(connection, newest)
    assert [is_open for _, is_open in incidents(connection)] == [False]
    capsys.readouterr()
    assert flight("hours", "list") == 0
    assert "accepted by ada: a test bench" in capsys.readouterr().out
    assert flight("hours", "list", "--red", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []

    connection.execute("UPDATE history.positions SET altitude_ft = 1000")
    assert flight("hours", "recheck", text, text, "--json") == 0
    assert [answer["passed"] for answer in json.loads(capsys.readouterr().out)] == [True]
    assert flight("hours", "accept", text, "--reason", "why not") == 1
    assert "is not red" in capsys.readouterr().err


def test_gaps_says_what_is_missing_and_lists_losses(
    connection: psycopg.Connection, newest: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{newest:%Y-%m-%dT%H:%MZ}"
    fill(connection, newest)
    connection.execute(
        "INSERT INTO ops.gaps (hop, source, from_time, to_time, reason) VALUES ('source', 'roof', %s, %s, 'away')",
        [newest, newest + timedelta(minutes=1)],
    )
    span = ("--from", text, "--to", f"{newest + HOUR:%Y-%m-%dT%H:%MZ}")
    assert flight("gaps", *span, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    (hour,) = told["hours"]
    assert (hour["complete"], hour["rows"], hour["counted"]) == (False, 20, None)
    assert [said.partition(" ")[0] for said in hour["missing"]] == ["source", "no", "Kafka"]
    assert [(gap["source"], gap["reason"]) for gap in told["gaps"]] == [("roof", "away")]
    assert flight("gaps", *span) == 1
    assert "(0 of 1 hours complete)" in capsys.readouterr().out
    assert flight("gaps", "--from", "2h", "--to", "3h") == 2
