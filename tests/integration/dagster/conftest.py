"""A migrated database and an instance of Dagster's, both of the test's own, and the last closed hour."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from checks.hours import last_closed
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


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance of Dagster's with a folder of its own."""
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def newest() -> datetime:
    """The last closed hour. Where the next is about to close, that is waited for: none closes while the test runs."""
    before = last_closed(datetime.now(UTC))
    while before != (after := last_closed(datetime.now(UTC) + timedelta(minutes=1))):
        time.sleep(1)
        before = last_closed(datetime.now(UTC))
    return after
