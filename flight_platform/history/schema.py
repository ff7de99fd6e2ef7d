"""The schema as a page of documentation, from the comments in the database's own catalog.

python -m flight_platform.history.schema postgresql://... > docs/schema.md
"""

import sys
from itertools import groupby

import psycopg

from flight_platform.history.sql import query

_HEAD = """\
# Schema

Made from the comments in the database by `python -m flight_platform.history.schema URL > docs/schema.md`; a test
compares. Leaves of `history.positions` are left out: they are like it. Analysts read schema `analytics` alone.
"""


def describe(connection: psycopg.Connection) -> str:
    """Every table, view, column and function of our schemas in Markdown."""
    parts = [_HEAD]
    tables = connection.execute(query("schema_tables")).fetchall()
    for (schema, comment), members in groupby(tables, key=lambda row: row[:2]):
        parts.append(f"\n## {schema}\n\n{comment or ''}\n")
        for (name, kind, purpose), columns in groupby(members, key=lambda row: row[2:5]):
            parts.append(f"\n### {schema}.{name} ({kind})\n\n{purpose or ''}\n\n| column | type | |\n|---|---|---|\n")
            parts += [f"| `{column}` | {of_type} | {note or ''} |\n" for *_, column, of_type, note in columns]
    parts.append("\n## Functions\n\n| function | answers with | |\n|---|---|---|\n")
    functions = connection.execute(query("schema_functions")).fetchall()
    parts += [f"| `{name}({arguments})` | {result} | {note or ''} |\n" for name, arguments, result, note in functions]
    return "".join(parts)


if __name__ == "__main__":
    with psycopg.connect(sys.argv[1]) as _connection:
        sys.stdout.write(describe(_connection))
