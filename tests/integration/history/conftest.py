"""A migrated database for each test, and synthetic reports to fill it."""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database


@pytest.fixture
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of a migrated database of the test's own."""
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def connection(database: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """The platform's own connection to it."""
    with psycopg.connect(database["postgres_url"], autocommit=True) as opened:
        yield opened


@pytest.fixture
def analyst(database: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """An analyst's connection to it."""
    with psycopg.connect(database["analyst_url"], autocommit=True) as opened:
        yield opened
