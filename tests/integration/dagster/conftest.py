"""A migrated database of the test's own, and heartbeats to put into it."""

from collections.abc import Iterator

import psycopg
import pytest
from dagster._core.storage.defs_state.base import set_defs_state_storage

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


@pytest.fixture(autouse=True)
def nothing_of_an_instance_is_left() -> Iterator[None]:
    """Puts back what some of Dagster's contexts leave behind: the storage of a dead instance, which the next test that
    resolves definitions, in whatever file, would trip over."""
    with set_defs_state_storage(None):
        yield
