"""The analysts' guide, asked: each question of docs/analysts.md as an analyst, on the recording that it speaks of."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.compaction import compact_hour
from flight_platform.history.flights import derive_hour, read_airports
from flight_platform.history.statistics_tables import count_hour
from flight_platform.history.verdicts import record_verdict
from flight_platform.reference.tables import load_aircraft, load_airports
from flight_platform.testing import DatabaseUrls, migrated_database
from tests.recorded import hours_of, tracked, write

pytestmark = pytest.mark.integration

GUIDE: Final = Path(__file__).resolve().parents[3] / "docs" / "analysts.md"
RECORDING: Final = "readsb/adsblol-stream-20250601.jsonl.gz"
AIRCRAFT: Final = "reference/mictronics-aircrafts.json.gz"
_QUESTION: Final = re.compile(
    r"^### (?P<title>\d+\. .*?)\n.*?```sql\n(?P<sql>.*?)```\n\n(?P<rows>\d+|some) rows? · (?P<hours>\d+) hours? read · "
    r"(?P<ms>\d+) ms · (?P<plan>.*?)\.$",
    re.MULTILINE | re.DOTALL,
)


class Question(NamedTuple):
    title: str
    sql: str
    rows: str
    hours: int

    def __str__(self) -> str:
        return self.title.partition(".")[0]


QUESTIONS: Final = [
    Question(found["title"], found["sql"], found["rows"], int(found["hours"]))
    for found in _QUESTION.finditer(GUIDE.read_text())
]


def some_aircraft(file: Path, addresses: set[str], folder: Path) -> Path:
    """The file of aircraft cut down to these: to load all takes longer than all questions."""
    known = json.loads(gzip.decompress(file.read_bytes()))
    few = folder / "aircrafts.json"
    few.write_text(json.dumps({address: entry for address, entry in known.items() if address.lower() in addresses}))
    return few


@pytest.fixture(scope="module")
def database(
    postgres_server: EmbeddedPostgres, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseUrls]:
    """A database with the whole day in it."""
    with migrated_database(postgres_server) as urls:
        with psycopg.connect(urls["postgres_url"], autocommit=True) as connection:
            write(connection, list(tracked(shared_data / RECORDING)))
            rows = connection.execute("SELECT DISTINCT analytics.icao24_text(flight_id >> 32) FROM history.positions")
            addresses = {address for (address,) in rows}
            load_airports(connection)
            load_aircraft(
                connection, some_aircraft(shared_data / AIRCRAFT, addresses, tmp_path_factory.mktemp("aircraft"))
            )
            airports = read_airports(connection)
            for hour in hours_of(connection):
                derive_hour(connection, hour, airports, datetime.now(UTC))
                count_hour(connection, hour)
            connection.execute("ANALYZE")
        yield urls


@pytest.fixture(scope="module")
def analyst(database: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """An analyst's connection to it."""
    with psycopg.connect(database["analyst_url"], autocommit=True) as opened:
        yield opened


def test_there_are_fifteen_each_with_rows_time_and_plan() -> None:
    assert [str(question) for question in QUESTIONS] == [str(number) for number in range(1, 16)]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_the_answer_is_as_the_guide_says(question: Question, analyst: psycopg.Connection) -> None:
    rows = analyst.execute(question.sql.encode()).fetchall()
    assert rows
    if question.rows != "some":
        assert len(rows) == int(question.rows)
    plan = analyst.execute(f"EXPLAIN {question.sql}".encode()).fetchall()
    leaves = {leaf for (line,) in plan for leaf in re.findall(r"\bpositions_\d{10}\b", line)}
    assert len(leaves) == question.hours


def test_the_day_is_the_one_that_the_guide_speaks_of(analyst: psycopg.Connection) -> None:
    found = analyst.execute("SELECT count(*), count(DISTINCT flight_key) FROM positions").fetchone()
    assert found is not None
    assert f"{found[0]:,} reports of {found[1]} flights" in GUIDE.read_text()


def answers(analyst: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What each question but that of coverage is answered, sums of floats as near as they are the same in any order."""
    return {
        question.title: [
            tuple(round(value, 9) if isinstance(value, float) else value for value in row)
            for row in analyst.execute(question.sql.encode()).fetchall()
        ]
        for question in QUESTIONS[:-1]
    }


def test_the_answers_are_the_same_once_the_hours_are_packed(
    database: DatabaseUrls, analyst: psycopg.Connection
) -> None:
    """The last test: it changes how the day is stored."""
    before = answers(analyst)
    with psycopg.connect(database["postgres_url"], autocommit=True) as connection:
        for hour in hours_of(connection):
            record_verdict(connection, hour, passed=True, rows=1, failures=[])
            assert compact_hour(connection, hour, datetime.now(UTC)).skipped is None
        assert hours_of(connection) == []
    assert answers(analyst) == before
