"""What assets, sensors and schedules are given: settings and connections, read when they run, not when they load."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg

from flight_platform.settings import Settings


class Platform(dg.ConfigurableResource[Any]):
    """The platform's settings and its Postgres. `overrides` are settings by name, for tests."""

    overrides: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies it

    def settings(self) -> Settings:
        """The settings of this process."""
        return Settings.read(**self.overrides)

    @contextmanager
    def connect(self, settings: Settings | None = None) -> Iterator[psycopg.Connection]:
        """A connection of its own, in autocommit: each statement is a transaction unless it is put into one."""
        url = (settings or self.settings()).postgres_url.get_secret_value()
        with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="dagster") as connection:
            yield connection
