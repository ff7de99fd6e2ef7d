"""A migrated database for each test, and synthetic reports to fill it."""

from collections.abc import Iterator

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database

# Whatever tables there are: a new one needs no word here. Leaves and days of chunks go, what is ahead is the test's.
_EMPTY = """
DO $$
DECLARE
    part regclass;
    filled text;
BEGIN
    FOR part IN
        SELECT i.inhrelid FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhparent
        WHERE c.relkind = 'p' AND c.relnamespace = 'history'::regnamespace
    LOOP
        EXECUTE format('DROP TABLE %s', part);
    END LOOP;
    SELECT string_agg(c.oid::regclass::text, ', ') INTO filled FROM pg_class AS c
    WHERE c.relkind = 'r' AND c.relnamespace IN ('history'::regnamespace, 'ops'::regnamespace)
        AND c.oid <> 'ops.migrations'::regclass;
    EXECUTE format('TRUNCATE %s CASCADE', filled);
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
