"""History as one view in DuckDB, whether it lies in Postgres or in the archive: for an analyst's own machine.

    analytics.positions ── COPY ─► Arrow ─► what Postgres has of the stretch ─┐
    FLIGHT_ARCHIVE/positions/date=*/   ─► Parquet, where it lies              ─┴─► view `positions`, each position once

DuckDB's own extension for Postgres would have to be downloaded, which a machine without a way out cannot; Arrow comes
with the platform. So a stretch of time is named first: what Postgres has of it is read at once, with the analyst's own
rights, and the archive is read by each question, pruned by day and by what the files say of themselves.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from flight_platform.history.parquet import SCHEMA
from flight_platform.history.partitions import HOUR
from flight_platform.history.sql import query

Duck = duckdb.DuckDBPyConnection

# As analytics.positions has them: the archive's columns, and the hour before the key.
COLUMNS: Final = pa.schema(
    [*[*SCHEMA][:-1], pa.field("hour", pa.timestamp("ms", tz="UTC")), SCHEMA.field("flight_key")]
)
# Small enough to be copied whole, and only where a question speaks of them.
_TABLES: Final = ("flights", "aircraft", "airports", "runways", "coverage", "gaps", "statistics", "statistics_cells")
_ANY_TABLE: Final = re.compile(rf"\b({'|'.join(_TABLES)})\b", re.IGNORECASE)


@contextmanager
def spanning(
    connection: psycopg.Connection[Any], archive: Path, from_time: datetime, to_time: datetime, question: str = ""
) -> Iterator[Duck]:
    """A DuckDB in memory with `positions` of that stretch (its end left out), and those of the other views that
    `question` names. The connection may be an analyst's, and must be idle."""
    with duckdb.connect(":memory:", config={"threads": 2}) as duck:
        duck.execute("SET TimeZone = 'UTC'")
        with connection.transaction():
            # First what is there, then what is gone: a day that is being dropped waits for us, or is gone for both.
            rows = _copied(connection, query("duckdb_positions"), [from_time, to_time], COLUMNS)
            archived = _archived_hours(connection, from_time, to_time)
            for name in sorted({found.lower() for found in _ANY_TABLE.findall(question)}):
                whole = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(sql.Identifier(name))
                duck.register(f"_{name}", _copied(connection, whole.as_string(connection), [], None))
                duck.execute(f"CREATE TABLE {name} AS FROM _{name}")
        duck.register("_in_postgres", rows)
        duck.register("_archived_hours", pa.table({"hour": pa.array(archived, COLUMNS.field("hour").type)}))
        _view(duck, archive, from_time, to_time, any_archived=bool(archived))
        yield duck


def _view(duck: Duck, archive: Path, from_time: datetime, to_time: datetime, *, any_archived: bool) -> None:
    """What is in Postgres and, of the hours that left it, what the archive has. A position that came late to such an
    hour lies in Postgres again, until the archive has it too: it counts once."""
    if not any_archived:
        duck.execute("CREATE VIEW positions AS FROM _in_postgres")
        return
    files = (archive / "positions" / "date=*" / "positions.parquet").as_posix()
    for name, value in (("files", files), ("from_time", from_time), ("to_time", to_time)):
        duck.execute(f"SET VARIABLE {name} = ?", [value])  # a view takes no parameters, but variables
    duck.execute(query("duckdb_archive"))
    duck.execute(query("duckdb_view"))


def _archived_hours(connection: psycopg.Connection[Any], from_time: datetime, to_time: datetime) -> list[datetime]:
    """The hours of the stretch that the archive alone has."""
    bounds = {"from_time": from_time - HOUR, "to_time": to_time}
    return [hour for (hour,) in connection.execute(query("duckdb_archived_hours"), bounds)]


def _copied(
    connection: psycopg.Connection[Any], statement: str, parameters: list[object], schema: pa.Schema | None
) -> pa.Table:
    """The answer to a COPY ... TO STDOUT (FORMAT csv, HEADER) as Arrow, without a Python object a value."""
    buffer = pa.BufferOutputStream()
    with connection.cursor() as cursor, cursor.copy(statement.encode(), parameters or None) as copy:
        for block in copy:
            buffer.write(block)
    types = dict(zip(schema.names, schema.types, strict=True)) if schema is not None else {}
    options = csv.ConvertOptions(
        column_types=types,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,  # COPY quotes an empty text, and writes nothing for NULL
        true_values=["t"],
        false_values=["f"],
        null_values=[""],
    )
    return csv.read_csv(pa.BufferReader(buffer.getvalue()), convert_options=options)
