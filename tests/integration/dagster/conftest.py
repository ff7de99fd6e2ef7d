"""A migrated database of the test's own, and the last closed hour."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from dagster._core.storage.defs_state.base import set_defs_state_storage

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


@pytest.fixture(autouse=True)
def nothing_of_an_instance_is_left() -> Iterator[None]:
    """Puts back what some of Dagster's contexts leave behind: the storage of a dead instance, which the next test that
    resolves definitions, in whatever file, would trip over."""
    with set_defs_state_storage(None):
        yield


@pytest.fixture
def newest() -> datetime:
    """The last closed hour. Where the next is about to close, that is waited for: none closes while the test runs."""
    before = last_closed(datetime.now(UTC))
    while before != (after := last_closed(datetime.now(UTC) + timedelta(minutes=1))):
        time.sleep(1)
        before = last_closed(datetime.now(UTC))
    return after
