"""What tests of the platform, ours and yours, need: a migrated database of their own, and waiting without sleep."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypedDict

import psycopg
from psycopg import sql

from flight_platform.history.migrate import migrate

POLL_S = 0.02


class PostgresServer(Protocol):
    """A running server, as `EmbeddedPostgres` is: knows the address of any of its databases."""

    def url(self, database: str = ..., user: str = ...) -> str: ...


class DatabaseUrls(TypedDict):
    """Addresses of one database, to be given on: `Settings.read(**urls)`."""

    postgres_url: str
    analyst_url: str


@contextmanager
def migrated_database(server: PostgresServer) -> Iterator[DatabaseUrls]:
    """A database of its own with all migrations and its analysts' role; both are gone afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    analyst = f"analyst_{name}"
    _administer(server, "CREATE DATABASE {}", name)
    try:
        address = server.url(name)
        analyst_url = _as_user(address, analyst, secrets.token_hex(8))
        migrate(address, analyst_url)
        yield {"postgres_url": address, "analyst_url": analyst_url}
    finally:
        _administer(server, "DROP DATABASE {} WITH (FORCE)", name)
        _administer(server, "DROP ROLE IF EXISTS {}", analyst)


def _administer(server: PostgresServer, statement: str, name: str) -> None:
    """On a connection of its own each time: the test may have restarted the server."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _as_user(url: str, user: str, password: str) -> str:
    """The same address for another user."""
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{user}:{password}@{rest.rsplit('@', 1)[-1]}"


def wait_until(predicate: Callable[[], object], timeout_s: float = 10, what: str = "") -> None:
    """Returns once `predicate` is true; raises TimeoutError, naming `what`, where it is not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what or predicate}")
        time.sleep(POLL_S)
