"""Where Dagster keeps its runs and events: the database of `FLIGHT_DAGSTER_URL`, read as all settings are.

`dagster.yaml` names this class and needs no variables of its own, so Dagster's three kinds of process start with the
environment that every other process of the platform has.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from flight_platform.settings import Settings

# SQLAlchemy 2.1 takes psycopg 3 for a bare postgresql://. With that driver Dagster's event storage fails quietly
# (answers 500, errors on NOTIFY), so its own psycopg2 is named.
SCHEME: Final = "postgresql+psycopg2"


def storage_url(settings: Settings) -> str:
    """Dagster's database for SQLAlchemy, the driver named."""
    return f"{SCHEME}://" + settings.dagster_url.get_secret_value().partition("://")[2]


class FlightStorage(DagsterPostgresStorage):
    """Dagster's Postgres storage at the address of our settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure in `dagster.yaml`."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003  # Dagster's
        """Made when a Dagster process starts."""
        return cls(storage_url(Settings.read()), inst_data=inst_data)
