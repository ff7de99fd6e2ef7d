"""DuckDB over Postgres and the archive: the same positions wherever they lie, each once, with an analyst's rights."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cli.main import main
from cli.operator import operator
from flight_platform.history.archive import archive_day
from flight_platform.history.compaction import compact_hour
from flight_platform.history.duckdb import COLUMNS, spanning
from flight_platform.history.partitions import HOUR
from flight_platform.history.retention import drop_day
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Emergency, Kind
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

OLD, NEW = datetime(2026, 9, 20, 23, tzinfo=UTC), datetime(2026, 9, 21, 0, tzinfo=UTC)
LATER = datetime(2026, 9, 23, tzinfo=UTC)
BORN = int(OLD.timestamp()) + 3_300
NOTHING = dict.fromkeys(
    ("altitude_ft", "geometric_altitude_ft", "on_ground", "ground_speed_kt", "track_deg", "vertical_rate_fpm")
) | dict.fromkeys(("callsign", "squawk", "emergency", "kind", "source"))


@pytest.fixture
def archive(connection: psycopg.Connection, tmp_path: Path) -> Path:
    """Two days: the older one, of an hour, is archived, the newer one is raw."""
    flown = [report("4ca001", BORN, (BORN + n) * 1000, kind=Kind.MLAT, source='a "b", c') for n in range(0, 600, 3)]
    odd = [report("~4ca002", BORN, (BORN + n) * 1000, **NOTHING) for n in (10, 500)]
    fill(connection, [*flown, *odd, report("4ca003", BORN, BORN * 1000, emergency=Emergency.NO_RADIO)])
    record_verdict(connection, OLD, passed=True, rows=1, failures=[])
    compact_hour(connection, OLD, LATER)
    assert archive_day(connection, tmp_path, date(2026, 9, 20)).rows > 0
    return tmp_path


def everything(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In one order, moments in one zone."""
    plain = [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows]
    return sorted(plain, key=str)


def in_duckdb(
    analyst: psycopg.Connection, archive: Path, question: str = "SELECT * FROM positions", **stretch: datetime
) -> list[tuple[Any, ...]]:
    between = (stretch.get("from_time", OLD), stretch.get("to_time", NEW + HOUR))
    with spanning(analyst, archive, *between, question) as duck:
        return everything(duck.execute(question).fetchall())


def names(analyst: psycopg.Connection) -> list[str]:
    return [column.name for column in analyst.execute("SELECT * FROM positions LIMIT 0").description or []]


def test_before_and_after_the_old_day_has_left_the_database(
    connection: psycopg.Connection, analyst: psycopg.Connection, archive: Path
) -> None:
    assert names(analyst) == COLUMNS.names
    in_postgres = everything(analyst.execute("SELECT * FROM positions").fetchall())
    assert len(in_postgres) == 203
    assert in_duckdb(analyst, archive) == in_postgres
    assert drop_day(connection, archive, date(2026, 9, 20)).rows > 100
    assert len(analyst.execute("SELECT * FROM positions").fetchall()) < 110
    assert in_duckdb(analyst, archive) == in_postgres


def test_what_came_late_to_a_dropped_hour_counts_once(
    connection: psycopg.Connection, analyst: psycopg.Connection, archive: Path
) -> None:
    drop_day(connection, archive, date(2026, 9, 20))
    repeat, late = (report("4ca001", BORN, (BORN + n) * 1000) for n in (3, 4))
    fill(connection, [repeat, late])
    found = in_duckdb(analyst, archive, "SELECT time, count(*) FROM positions WHERE icao24 = '4ca001' GROUP BY time")
    assert len(found) == 201
    assert {count for _, count in found} == {1}


def test_only_the_stretch(connection: psycopg.Connection, analyst: psycopg.Connection, archive: Path) -> None:
    for _ in range(2):
        bounds = {"from_time": datetime.fromtimestamp(BORN + 3, UTC), "to_time": datetime.fromtimestamp(BORN + 9, UTC)}
        found = in_duckdb(analyst, archive, "SELECT min(time), max(time), count(*) FROM positions", **bounds)
        assert found == [(bounds["from_time"], datetime.fromtimestamp(BORN + 6, UTC), 2)]
        drop_day(connection, archive, date(2026, 9, 20))


def test_the_views_that_a_question_names_are_there(analyst: psycopg.Connection, archive: Path) -> None:
    question = "SELECT c.state, count(*) FROM Coverage AS c JOIN positions AS p ON p.hour = c.hour GROUP BY ALL"
    assert in_duckdb(analyst, archive, question) == [("chunks", 102), ("raw", 101)]


def test_without_an_archive_postgres_alone_answers(analyst: psycopg.Connection, tmp_path: Path) -> None:
    assert in_duckdb(analyst, tmp_path / "none", "SELECT count(*) FROM positions") == [(0,)]


def test_the_command(
    archive: Path,
    connection: psycopg.Connection,
    database: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drop_day(connection, archive, date(2026, 9, 20))
    monkeypatch.setenv("FLIGHT_ANALYST_URL", database["analyst_url"])
    monkeypatch.setenv("FLIGHT_ARCHIVE", str(archive))
    question = "SELECT icao24, count(*) AS reports FROM positions GROUP BY icao24 ORDER BY icao24"
    stretch = ["--duckdb", "--from", "2026-09-20", "--to", "2026-09-22"]
    with pytest.raises(SystemExit) as exit_info:
        main(["sql", *stretch, "--csv", question])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == "icao24,reports\n4ca001,200\n4ca003,1\n~4ca002,2\n"
    assert connection.execute("SELECT detail ->> 'rows', detail ->> 'question' FROM ops.audit").fetchall() == [
        ("3", question)
    ]
    for words, says in (
        ([*stretch, "SELECT nobody FROM positions"], "nobody"),
        (["--duckdb", question], "--from"),
        (["--from", "2h", question], "--duckdb"),
        (["--duckdb", "--from", "yesterday", question], "a time or an age"),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["sql", *words])
        assert exit_info.value.code
        assert says in capsys.readouterr().err


def test_what_leaves_is_in_the_audit_before_it_is_written(
    connection: psycopg.Connection,
    database: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FLIGHT_ANALYST_URL", database["analyst_url"])
    question = "SELECT n FROM generate_series(1, 2) AS n"

    def ask(*words: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as exit_info:
            main(["sql", *words, question])
        return exit_info.value.code, capsys.readouterr().out

    assert ask("--csv", "--reason", "for the court") == (0, "n\n1\n2\n")
    assert ask("--json")[0] == 0
    assert ask()[0] == 0  # a table for the reader's own eyes
    rows = connection.execute("SELECT actor, action, reason, detail FROM ops.audit ORDER BY audit_id").fetchall()
    actor = f"{operator()} as {conninfo_to_dict(database['analyst_url'])['user']}"
    assert [row[:3] for row in rows] == [(actor, "export", "for the court"), (actor, "export", "not told")]
    assert rows[0][3] == {
        "format": "CSV",
        "rows": 2,
        "question": question,
        "question_sha256": hashlib.sha256(question.encode()).hexdigest(),
    }
    connection.execute("REVOKE EXECUTE ON FUNCTION analytics.audit_export FROM PUBLIC")
    try:
        code, written = ask("--csv")
    finally:
        connection.execute("GRANT EXECUTE ON FUNCTION analytics.audit_export TO PUBLIC")
    assert (bool(code), written) == (True, "")


def test_a_question_that_takes_too_long_is_told_what_makes_it_fast(
    database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLIGHT_ANALYST_URL", database["analyst_url"])
    with pytest.raises(SystemExit) as exit_info:
        main(["sql", "SET statement_timeout = '50ms'; SELECT pg_sleep(60)"])
    assert exit_info.value.code
    assert "name `hour` beside `time`" in capsys.readouterr().err
