"""`flight sql`: a question to history as the analysts' read-only role; the answer as a table, JSON or CSV.

With `--duckdb` the question is DuckDB's, and `positions` spans Postgres and the archive (`history/duckdb.py`). JSON and
CSV are for other programs: what leaves so is in the audit before it is written.
"""

import csv
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from cli.operator import operator
from cli.output import say, say_json, table
from flight_platform.errors import FlightError, SettingsError


class QueryError(FlightError):
    """Postgres or DuckDB refused the question; the message is its own."""


class ExportError(FlightError):
    """An answer could not be written into the audit, so it is not written at all."""


ADVICE: Final = (
    "Positions are stored by the hour: name `hour` beside `time` (WHERE hour >= ... AND hour < ... with constants), or "
    "ask positions_between(from, to) or track(flight_id)"
)
Answer = tuple[list[str], list[tuple[Any, ...]]]


def sql(
    question: Annotated[str, typer.Argument(metavar="QUERY", help="SQL; `-` reads it from standard input")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Rows as JSON objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Rows as CSV with a header.")] = False,
    shown: Annotated[int, typer.Option("--rows", help="Rows of a table; JSON and CSV have all.", min=1)] = 200,
    duckdb: Annotated[bool, typer.Option("--duckdb", help="DuckDB's SQL, over the archive too; needs --from.")] = False,
    since: Annotated[
        str | None, typer.Option("--from", help="Positions since: ISO 8601 (UTC), or an age as 3d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Positions before: the same; now where none is named.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit: JSON and CSV are written down there.")] = "not told",
) -> None:
    """Asks history in SQL, read-only: the views and functions of schema `analytics`."""
    if as_json and as_csv:
        raise SettingsError("one format at a time: --json or --csv")
    text = sys.stdin.read() if question == "-" else question
    names, rows = ask_duckdb(text, since, until) if duckdb else ask(text, since, until)
    if as_json or as_csv:
        audit(text, len(rows), "JSON" if as_json else "CSV", reason)
    if as_json:
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    else:
        say(table(names, [[_cell(value) for value in row] for row in rows[:shown]]))
        more = f"; the first {shown} are shown, --csv has all" if len(rows) > shown else ""
        say(f"({len(rows)} {'row' if len(rows) == 1 else 'rows'}{more})")


def ask(text: str, since: str | None = None, until: str | None = None) -> Answer:
    """Column names and rows of the answer to the last statement of `text`."""
    if since or until:
        raise SettingsError("--from and --to are for --duckdb; in Postgres' SQL the question itself says when")
    import psycopg

    from cli.postgres import connected
    from flight_platform.settings import Settings

    with connected(Settings.read().analyst_url.get_secret_value()) as connection:
        connection.autocommit = False
        connection.read_only = True  # the role is read-only too: this also refuses what a lent right would allow
        try:
            cursor = connection.execute(text.encode())
            while cursor.nextset():
                pass
        except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.ReadOnlySqlTransaction) as error:
            # Postgres would explain triggers on views, of which an analyst can make none.
            raise QueryError(f"analysts read, and change nothing: {error.diag.message_primary}") from error
        except psycopg.errors.QueryCanceled as error:
            raise QueryError(f"{str(error).strip()}. {ADVICE}") from error
        except psycopg.Error as error:
            raise QueryError(str(error).strip()) from error
        if cursor.description is None:
            return [], []
        return [column.name for column in cursor.description], cursor.fetchall()


def ask_duckdb(text: str, since: str | None, until: str | None) -> Answer:
    """The same of DuckDB, with `positions` of that stretch from Postgres and the archive."""
    if since is None:
        raise SettingsError("--duckdb needs to know of when `positions` is to be. Example: --from 2026-01-01 --to 3d")
    import duckdb
    import psycopg

    from cli.dead_letters import moment
    from cli.postgres import connected
    from flight_platform.history.duckdb import spanning
    from flight_platform.kafka import now_ms
    from flight_platform.settings import Settings

    settings, now = Settings.read(), now_ms()
    from_time, to_time = (
        datetime.fromtimestamp(moment(written, name, now) / 1000, UTC)
        if written
        else datetime.fromtimestamp(now / 1000, UTC)
        for name, written in (("from", since), ("to", until))
    )
    with connected(settings.analyst_url.get_secret_value()) as connection:
        try:
            with spanning(connection, settings.archive, from_time, to_time, text) as duck:
                answer = duck.execute(text)
                return [column[0] for column in answer.description or []], answer.fetchall()
        except (duckdb.Error, psycopg.Error) as error:
            raise QueryError(str(error).strip()) from error


def audit(text: str, rows: int, form: str, reason: str) -> None:
    """Writes into the audit that this answer leaves; raises ExportError where that cannot be."""
    import psycopg

    from cli.postgres import connected, query
    from flight_platform.settings import Settings

    values = {"operator": operator(), "question": text, "rows": rows, "format": form, "reason": reason}
    with connected(Settings.read().analyst_url.get_secret_value()) as connection:
        connection.read_only = False  # for this one function
        try:
            with connection.transaction():
                connection.execute(query("audit_export"), values)
        except psycopg.Error as error:
            raise ExportError(
                f"nothing was written, since the audit could not be ({str(error).strip()}). Where the database is of "
                "an older release: flight migrate"
            ) from error


def _cell(value: Any) -> Any:
    """A value as a table shows it."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.hex() if isinstance(value, bytes) else value
