"""The named statements of history: one `.sql` file each, under `flight_platform/sql/queries/`."""

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """The statement in `sql/queries/<name>.sql`."""
    return (files("flight_platform") / "sql" / "queries" / f"{name}.sql").read_text()
