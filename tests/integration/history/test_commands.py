"""`flight compact`, `archive` and `partitions` on a real database, as a script reads them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from flight_platform.history.partitions import HOUR
from flight_platform.history.verdicts import record_verdict
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import stream

pytestmark = pytest.mark.integration

HOURS = [datetime(2026, 9, 20, n, tzinfo=UTC) for n in (3, 4)]
STRETCH = ("--from", "2026-09-20", "--to", "2026-09-21")
DAY = ("--from", "2026-09-20")


def test_a_day_is_taken_through_its_life_by_commands(
    database: DatabaseUrls, connection: psycopg.Connection, tmp_path: Path
) -> None:
    for hour in HOURS:
        fill(connection, stream(2, 10, int(hour.timestamp() * 1000)))
    record_verdict(connection, HOURS[0], passed=True, rows=20, failures=[])

    def flight(*words: str) -> Any:
        environment = {"FLIGHT_POSTGRES_URL": database["postgres_url"], "FLIGHT_ARCHIVE": str(tmp_path)}
        result = CliRunner().invoke(app, [*words, "--json"], env=environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    assert [(done["moved"], bool(done["skipped"])) for done in flight("compact", *STRETCH)] == [(20, False), (0, True)]
    assert "not compacted yet: 04:00" in flight("archive", "write", *DAY)[0]["skipped"]
    record_verdict(connection, HOURS[1], passed=True, rows=20, failures=[])
    assert [done["moved"] for done in flight("compact", *STRETCH)] == [0, 20]
    assert flight("archive", "write", *DAY)[0]["rows"] == 40
    assert flight("archive", "verify", *DAY) == [{"day": "2026-09-20", "verified": True}]
    assert flight("archive", "drop", *DAY)[0]["rows"] == 40
    assert [hour["state"] for hour in flight("partitions", "list", *STRETCH)] == ["archive", "archive"]
    assert flight("archive", "restore", *DAY) == [{"day": "2026-09-20", "rows": 40}]
    hours = flight("partitions", "list", *STRETCH)
    assert [(hour["state"], hour["positions"], hour["archive_rows"]) for hour in hours] == [("chunks", 20, 20)] * 2
    (listed,) = flight("archive", "list")
    assert (listed["day"], listed["rows"], listed["dropped_at"]) == ("2026-09-20", 40, None)
    assert flight("partitions", "ahead", "--days", "1")["days_ahead"] >= 1
    assert HOURS[0] + HOUR == HOURS[1]
