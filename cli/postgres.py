"""Connections of the command to Postgres: one clear line where it does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from flight_platform.errors import ServerUnavailableError


def query(name: str) -> str:
    """The text of one of the platform's queries."""
    return (files("flight_platform") / f"sql/queries/{name}.sql").read_text()


def where(url: str) -> str:
    """Host, port and database of an address: what can be said aloud of it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection; raises ServerUnavailableError, with what to do, where there is none."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="flight")
    except psycopg.OperationalError as error:
        problem = str(error).strip().splitlines()[0].rpartition("failed: ")[2]
        raise ServerUnavailableError(
            f"Postgres at {where(url)} does not answer ({problem}). Start the platform with `flight up`, "
            "or name your server in FLIGHT_POSTGRES_URL and FLIGHT_ANALYST_URL"
        ) from error
    with connection:
        yield connection


def rows(connection: psycopg.Connection, text: str, arguments: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """All rows of a query, by column name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text.encode(), arguments).fetchall()
