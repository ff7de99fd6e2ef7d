"""An aircraft is forgotten by the archive too: its files are written anew, and the books still hold."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from flight_platform.history.archive import ArchiveError, archive_day, due_days, path_of, restore_day, verify_day
from flight_platform.history.compaction import compact_hour
from flight_platform.history.partitions import HOUR
from flight_platform.history.progress import Progress
from flight_platform.history.reading import read_hour
from flight_platform.history.reconciliation import prove_hours
from flight_platform.history.retention import drop_day
from flight_platform.history.verdicts import record_verdict
from flight_platform.privacy import forget as module
from flight_platform.privacy.forget import Forgotten, NotAllForgottenError, forget
from flight_platform.privacy.rules import Subject
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import TOPIC, fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

DAY = date(2026, 9, 20)
START = datetime(2026, 9, 20, 9, tzinfo=UTC)
HOURS = [START, START + HOUR]
LATER = datetime(2026, 9, 23, tzinfo=UTC)
BORN = int(START.timestamp()) + 3_000
FORGOTTEN, OTHER = "4ca001", "4ca002"


@pytest.fixture
def settings(database: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A platform with a database and an archive; live servers and trackers are another test's."""
    monkeypatch.setattr(module, "erase_live", lambda *_: 0)
    monkeypatch.setattr(module, "tell_trackers_to_forget", lambda *_: None)
    return Settings.read(postgres_url=database["postgres_url"], archive=tmp_path / "archive")


@pytest.fixture
def past(connection: psycopg.Connection, settings: Settings) -> Iterator[psycopg.Connection]:
    """Two flights of two hours in chunks, and their day in the archive."""
    for icao24, callsign in ((FORGOTTEN, "SECRET1"), (OTHER, "OPEN1")):
        flown = [report(icao24, BORN, (BORN + n) * 1000, callsign=callsign) for n in range(0, 1_200, 4)]
        fill(connection, flown)
    for hour in HOURS:
        record_verdict(connection, hour, passed=True, rows=1, failures=[])
        compact_hour(connection, hour, LATER)
    assert archive_day(connection, settings.archive, DAY).rows == 600
    yield connection
    connection.execute("TRUNCATE history.chunks, history.positions, ops.hours, ops.archive, ops.verdicts, ops.offsets")
    connection.execute("TRUNCATE ops.ledger, ops.hour_counts, ops.hour_erasures, ops.hour_proofs, ops.ledger_marks")


def forgotten(settings: Settings, connection: psycopg.Connection, **subject: str) -> Forgotten:
    return forget(settings, connection, Subject(**subject), reason="a letter", actor="ann", wait=lambda _: None)


def in_file(settings: Settings) -> dict[str, int]:
    table = pq.read_table(settings.archive / path_of(DAY), columns=["icao24"], partitioning=None)
    counts = table.column("icao24").value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in counts}


def faults(connection: psycopg.Connection) -> list[Any]:
    proofs = prove_hours(connection, TOPIC, HOURS, Progress(until=datetime.now(UTC)))
    return [fault for proof in proofs for fault in proof.faults]


@pytest.mark.parametrize("subject", [{"icao24": FORGOTTEN}, {"callsign": "SECRET1"}], ids=["address", "callsign"])
def test_database_and_archive_lose_it_and_agree(
    subject: dict[str, str], settings: Settings, past: psycopg.Connection
) -> None:
    done = forgotten(settings, past, **subject)
    assert (done.counts["positions"], done.counts["archived"]) == (300, 300)
    assert in_file(settings) == {OTHER: 300}
    verify_day(past, settings.archive, DAY)
    assert due_days(past, LATER) == []
    assert faults(past) == []
    assert drop_day(past, settings.archive, DAY).rows == 300
    assert faults(past) == []


def test_a_day_that_the_archive_alone_has(settings: Settings, past: psycopg.Connection) -> None:
    assert drop_day(past, settings.archive, DAY).rows == 600
    assert faults(past) == []
    done = forgotten(settings, past, callsign="SECRET1")
    assert (done.counts["positions"], done.counts["archived"]) == (0, 300)
    assert in_file(settings) == {OTHER: 300}
    verify_day(past, settings.archive, DAY)
    assert faults(past) == []
    assert restore_day(past, settings.archive, DAY) == 300
    assert set((read_hour(past, START)["flight_id"] >> 32).tolist()) == {0x4CA002}
    assert faults(past) == []


def test_an_older_copy_of_a_file_brings_nothing_back(settings: Settings, past: psycopg.Connection) -> None:
    file = settings.archive / path_of(DAY)
    older = file.read_bytes()
    drop_day(past, settings.archive, DAY)
    forgotten(settings, past, icao24=FORGOTTEN)
    file.write_bytes(older)
    assert restore_day(past, settings.archive, DAY) == 300
    assert set((read_hour(past, START)["flight_id"] >> 32).tolist()) == {0x4CA002}


def test_what_came_late_still_goes_to_the_archive(settings: Settings, past: psycopg.Connection) -> None:
    fill(past, [report(OTHER, BORN, (BORN + 2) * 1000)])
    compact_hour(past, START, LATER)
    assert due_days(past, LATER) == [DAY]
    forgotten(settings, past, icao24=FORGOTTEN)
    assert due_days(past, LATER) == [DAY]
    assert archive_day(past, settings.archive, DAY).rows == 301
    assert due_days(past, LATER) == []
    verify_day(past, settings.archive, DAY)


def test_an_archive_of_nobody_else_is_empty_and_whole(settings: Settings, past: psycopg.Connection) -> None:
    for icao24 in (FORGOTTEN, OTHER):
        forgotten(settings, past, icao24=icao24)
    assert in_file(settings) == {}
    verify_day(past, settings.archive, DAY)
    assert faults(past) == []


def test_a_day_without_it_is_left_as_it_is(settings: Settings, past: psycopg.Connection) -> None:
    before = (settings.archive / path_of(DAY)).stat()
    assert forgotten(settings, past, icao24="3c0001").counts["archived"] == 0
    assert (settings.archive / path_of(DAY)).stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_is_missing_is_told(settings: Settings, past: psycopg.Connection) -> None:
    (settings.archive / path_of(DAY)).unlink()
    with pytest.raises(NotAllForgottenError, match=r"archive: .*FLIGHT_ARCHIVE"):
        forgotten(settings, past, icao24=FORGOTTEN)
    with pytest.raises(ArchiveError):
        verify_day(past, settings.archive, DAY)
