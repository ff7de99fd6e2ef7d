"""docs/compliance.md names each table that the migrations make, with how long it is kept."""

from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.integration

PAGE = Path(__file__).resolve().parents[3] / "docs" / "compliance.md"
TABLES = """
SELECT n.nspname, c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('history', 'ops', 'reference') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
PLAIN = {"ops.migrations", "ops.block_list_revision"}  # tell of the schema and of a number


def test_the_retention_of_every_table_is_documented(connection: psycopg.Connection) -> None:
    retention = PAGE.read_text().partition("## Retention")[2].partition("\n## ")[0]
    missing = {
        f"{schema}.{table}"
        for schema, table in connection.execute(TABLES)
        if f"`{schema}.{table}`" not in retention and f"`{schema}.*`" not in retention
    }
    assert missing - PLAIN == set()
