"""A day goes to the archive, leaves the database and comes back; at each step it is known to be whole."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas  # type: ignore[import-untyped]
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flight_platform.history.archive as module
from flight_platform.codec import Columns, decode_columns, encode
from flight_platform.history.archive import ArchiveError, archive_day, due_days, path_of, restore_day, verify_day
from flight_platform.history.checksums import checksum
from flight_platform.history.compaction import compact_hour, retire_leaves
from flight_platform.history.parquet import to_table
from flight_platform.history.partitions import HOUR
from flight_platform.history.reading import joined, read_hour
from flight_platform.history.retention import RESTORED_KEPT, days_to_drop, drop_day
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import Position
from tests.integration.history.filling import fill
from tests.integration.history.reports import report, stream

pytestmark = pytest.mark.integration

DAY = date(2026, 9, 20)
START = datetime(2026, 9, 20, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
HOURS = [START + n * HOUR for n in (3, 4, 23)]
NOW = START + timedelta(days=3)


def positions() -> list[Position]:
    """Three flights in three hours of the day."""
    return [p for hour in HOURS for p in stream(3, 20, int(hour.timestamp() * 1000), step_ms=5_000)]


def late(minute: int = 0) -> Position:
    return report("4ca001", START_MS // 1000, START_MS + 3 * 3_600_000 + minute * 60_000 + 77)


def compact(connection: psycopg.Connection, *hours: datetime) -> None:
    for hour in hours or HOURS:
        record_verdict(connection, hour, passed=True, rows=1, failures=[])
        compact_hour(connection, hour, NOW)


def of_day(connection: psycopg.Connection) -> Columns:
    """The positions of the day that the database has."""
    return joined([read_hour(connection, START + n * HOUR) for n in range(24)])


def columns_of(given: list[Position]) -> Columns:
    return decode_columns([encode(position) for position in given])[0]


def states(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT state, chunk_rows, archive_rows FROM analytics.coverage ORDER BY hour").fetchall()


def test_a_day_is_archived_dropped_and_restored_and_is_the_same_day(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    whole = checksum(columns_of(positions()))
    fill(connection, positions())
    compact(connection)
    assert due_days(connection, START + timedelta(hours=30)) == []  # may still get late rows
    assert due_days(connection, NOW) == [DAY]
    made = archive_day(connection, tmp_path, DAY)
    assert (made.rows, made.checksum, made.skipped) == (180, whole, None)
    assert due_days(connection, NOW) == []
    assert days_to_drop(connection, NOW, keep_days=5) == []
    assert days_to_drop(connection, NOW, keep_days=2) == [DAY]
    assert drop_day(connection, tmp_path, DAY).rows == 180
    assert len(of_day(connection)) == 0
    assert states(connection) == [("archive", 0, 60)] * 3
    assert days_to_drop(connection, NOW, keep_days=2) == []
    assert drop_day(connection, tmp_path, DAY).rows == 0  # once more does no harm
    assert restore_day(connection, tmp_path, DAY) == 180
    assert checksum(of_day(connection)) == whole
    assert states(connection) == [("chunks", 60, 60)] * 3
    assert days_to_drop(connection, datetime.now(UTC), keep_days=2) == []  # somebody works with it
    assert days_to_drop(connection, datetime.now(UTC) + RESTORED_KEPT, keep_days=2) == [DAY]
    assert restore_day(connection, tmp_path, DAY) == 180  # once more does no harm either
    assert checksum(of_day(connection)) == whole
    assert drop_day(connection, tmp_path, DAY).rows == 180


def test_others_read_the_file_by_its_folder(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    with duckdb.connect() as duck:
        found = duck.execute(
            "SELECT date, count(*), count(DISTINCT flight_id), min(time AT TIME ZONE 'UTC'), max(ground_speed_kt)"
            " FROM read_parquet($files, hive_partitioning = true) WHERE date = DATE '2026-09-20' GROUP BY date",
            {"files": f"{tmp_path}/positions/*/*.parquet"},
        ).fetchall()
    assert found == [(DAY, 180, 9, HOURS[0].replace(tzinfo=None), 420.5)]
    frame, nothing = (
        pandas.read_parquet(tmp_path / "positions", filters=[("date", "=", day)], dtype_backend="pyarrow")
        for day in ("2026-09-20", "2026-09-21")
    )
    assert (len(frame), len(nothing)) == (180, 0)
    assert (frame["time"].min(), frame["ground_speed_kt"].max()) == (HOURS[0], 420.5)
    assert frame["altitude_ft"].dtype == "int32[pyarrow]"
    keys = pq.read_table(tmp_path / path_of(DAY), partitioning=None).select(["flight_key", "time"]).to_pylist()
    assert keys == sorted(keys, key=lambda row: (row["flight_key"], row["time"]))


def test_spark_reads_the_file_by_its_folder(connection: psycopg.Connection, tmp_path: Path) -> None:
    spark_sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: too large for what it checks")
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    settings = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    settings["spark.sql.session.timeZone"] = "UTC"
    with spark_sql.SparkSession.builder.master("local[1]").config(map=settings).getOrCreate() as spark:
        day = spark.read.parquet(f"{tmp_path}/positions").where("date = '2026-09-20'")
        (found,) = day.selectExpr("count(*)", "count(DISTINCT flight_id)", "string(min(time))").collect()
    assert tuple(found) == (180, 9, "2026-09-20 03:00:00")


def test_what_is_not_compacted_keeps_the_day_from_the_archive(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, positions())
    compact(connection, *HOURS[:2])
    assert archive_day(connection, tmp_path, DAY).skipped == "not compacted yet: 23:00"
    assert not (tmp_path / path_of(DAY)).exists()
    empty = archive_day(connection, tmp_path, DAY - timedelta(days=1))
    assert empty.skipped == "it has no positions"
    assert list((tmp_path / path_of(empty.day)).parent.iterdir()) == []


def test_what_came_late_has_the_day_written_anew_before_it_is_dropped(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    fill(connection, [late()])
    assert drop_day(connection, tmp_path, DAY).kept == "it has positions that are not compacted"
    compact(connection, HOURS[0])
    assert drop_day(connection, tmp_path, DAY).kept == "the archive does not have 03:00 as it is now"
    assert due_days(connection, NOW) == [DAY]
    assert archive_day(connection, tmp_path, DAY).rows == 181
    assert drop_day(connection, tmp_path, DAY).rows == 181


def test_what_comes_after_the_day_was_dropped_joins_it_in_the_archive(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    drop_day(connection, tmp_path, DAY)
    retire_leaves(connection, NOW)
    fill(connection, [late(), late(5)])
    compact(connection, HOURS[0])
    assert states(connection)[0] == ("archive", 2, 60)
    assert due_days(connection, NOW) == [DAY]
    assert drop_day(connection, tmp_path, DAY).kept is not None
    assert archive_day(connection, tmp_path, DAY).rows == 182
    assert drop_day(connection, tmp_path, DAY).rows == 2
    assert states(connection)[0] == ("archive", 0, 62)
    assert restore_day(connection, tmp_path, DAY, [HOURS[0]]) == 62
    assert checksum(of_day(connection)) == checksum(columns_of([*positions()[:60], late(), late(5)]))
    assert [state for state, *_ in states(connection)] == ["chunks", "archive", "archive"]
    assert (
        archive_day(connection, tmp_path, DAY).rows == 182
    )  # of the restored hour the database, of the others the file


def test_a_damaged_file_or_a_damaged_chunk_is_found_and_nothing_is_dropped(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    path = tmp_path / path_of(DAY)
    sound = path.read_bytes()
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(1), path)
    with pytest.raises(ArchiveError, match="is not what is on record of 03:00"):
        verify_day(connection, tmp_path, DAY)
    path.write_bytes(sound[:-100])
    assert "cannot be read" in (drop_day(connection, tmp_path, DAY).kept or "")
    path.unlink()
    assert "cannot be read" in (drop_day(connection, tmp_path, DAY).kept or "")
    with pytest.raises(ArchiveError, match="is not there"):
        restore_day(connection, tmp_path, DAY)
    connection.execute("UPDATE history.chunks SET latitude_e7 = latitude_e7 + 1 WHERE hour = %s", [HOURS[1]])
    with pytest.raises(ArchiveError, match=r"the chunks of 2026-09-20 04:00 are not what compaction wrote"):
        archive_day(connection, tmp_path, DAY)
    assert len(of_day(connection)) == 180


def test_killed_on_the_way_the_old_file_is_whole_and_the_next_try_succeeds(
    connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PORTION_ROWS", 30)  # several portions
    fill(connection, positions())
    compact(connection)
    archive_day(connection, tmp_path, DAY)
    fill(connection, [late()])
    compact(connection, HOURS[0])
    calls: list[int] = []

    def dies(columns: Columns) -> pa.Table:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return to_table(columns)

    monkeypatch.setattr(module, "to_table", dies)
    with pytest.raises(KeyboardInterrupt):
        archive_day(connection, tmp_path, DAY)
    verify_day(connection, tmp_path, DAY)
    assert archive_day(connection, tmp_path, DAY).rows == 181
    restored: list[int] = []

    def killed(rows: int) -> None:
        restored.append(rows)
        if len(restored) == 2:
            raise KeyboardInterrupt

    drop_day(connection, tmp_path, DAY)
    with pytest.raises(KeyboardInterrupt):
        restore_day(connection, tmp_path, DAY, told=killed)
    assert [state for state, *_ in states(connection)] == ["archive"] * 3
    assert archive_day(connection, tmp_path, DAY).rows == 181  # half restored: nothing is lost, nothing twice
    assert restore_day(connection, tmp_path, DAY) == 181
    assert checksum(of_day(connection)) == checksum(columns_of([*positions(), late()]))
