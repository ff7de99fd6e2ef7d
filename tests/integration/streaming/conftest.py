"""A migrated database for each module: the block list is in it."""

from collections.abc import Iterator

import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.testing import DatabaseUrls, migrated_database


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    """The addresses of a migrated database."""
    with migrated_database(postgres_server) as urls:
        yield urls
