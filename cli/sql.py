"""`flight sql`: a question to history as the analysts' read-only role; the answer as a table, JSON or CSV."""

import csv
import json
import sys
from typing import Annotated, Any

import typer

from cli.output import say, say_json, table
from flight_platform.errors import FlightError, SettingsError


class QueryError(FlightError):
    """Postgres refused the question; the message is its own."""


def sql(
    question: Annotated[str, typer.Argument(metavar="QUERY", help="SQL; `-` reads it from standard input")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Rows as JSON objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Rows as CSV with a header.")] = False,
    shown: Annotated[int, typer.Option("--rows", help="Rows of a table; JSON and CSV have all.", min=1)] = 200,
) -> None:
    """Asks history in SQL, read-only: the views and functions of schema `analytics`."""
    if as_json and as_csv:
        raise SettingsError("one format at a time: --json or --csv")
    text = sys.stdin.read() if question == "-" else question
    names, rows = ask(text)
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


def ask(text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of the answer to the last statement of `text`."""
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
        except psycopg.Error as error:
            raise QueryError(str(error).strip()) from error
        if cursor.description is None:
            return [], []
        return [column.name for column in cursor.description], cursor.fetchall()


def _cell(value: Any) -> Any:
    """A value as a table shows it."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.hex() if isinstance(value, bytes) else value
