"""A database for a whole file of tests about incidents: emptied between them, which is cheaper than migrating anew.

from tests.integration.dagster.incidents import database, file_database  # fixtures, in place of the conftest's
"""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database


@pytest.fixture(scope="module")
def file_database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of a migrated database."""
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def database(file_database: DatabaseUrls) -> DatabaseUrls:
    """The same, with nothing in the tables that incidents are about."""
    with psycopg.connect(file_database["postgres_url"], autocommit=True) as connection:
        connection.execute(
            "TRUNCATE ops.incidents, ops.outbox, ops.gaps, ops.sources, ops.heartbeats, ops.offsets, ops.ledger CASCADE"
        )
    return file_database
