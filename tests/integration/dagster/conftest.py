"""A migrated database of the test's own, and heartbeats to put into it."""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database


@pytest.fixture
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of a migrated database."""
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def connection(database: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """A connection to it, in autocommit."""
    with psycopg.connect(database["postgres_url"], autocommit=True) as opened:
        yield opened
