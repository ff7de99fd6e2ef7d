"""A migrated database of the module's own, emptied of what these tests write."""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of the database."""
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def connection(database: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """The platform's own connection to it."""
    with psycopg.connect(database["postgres_url"], autocommit=True) as opened:
        opened.execute("TRUNCATE ops.block_list, ops.audit, reference.aircraft")
        yield opened
