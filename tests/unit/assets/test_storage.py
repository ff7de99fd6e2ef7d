"""Dagster's database: the driver is named, whatever the address says."""

import pytest

from assets.storage import storage_url
from flight_platform.settings import Settings


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_driver_is_the_one_that_dagster_works_with(scheme: str) -> None:
    settings = Settings.read(dagster_url=f"{scheme}://flight:s%40cret@db.example:5432/dagster?sslmode=require")
    expected = "postgresql+psycopg2://flight:s%40cret@db.example:5432/dagster?sslmode=require"
    assert storage_url(settings) == expected
