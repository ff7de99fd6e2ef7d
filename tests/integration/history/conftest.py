"""A migrated database for each test, and synthetic reports to fill it."""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database

_EMPTY = """
DO $$
DECLARE
    leaf regclass;
BEGIN
    FOR leaf IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'history.positions'::regclass LOOP
        EXECUTE format('DROP TABLE %s', leaf);
    END LOOP;
    TRUNCATE ops.offsets, ops.ledger, ops.quarantine, ops.heartbeats, ops.incidents, ops.gaps;
END
$$
"""


@pytest.fixture(scope="module")
def migrated(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of a migrated database of the module's own: to migrate takes longer than most tests."""
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def database(migrated: DatabaseUrls) -> DatabaseUrls:
    """The same, with nothing in it and no leaf."""
    with psycopg.connect(migrated["postgres_url"], autocommit=True) as opened:
        opened.execute(_EMPTY)
    return migrated


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
