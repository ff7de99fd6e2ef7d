"""Forward-only migrations of the database: `sql/migrations/NNNN_*.sql`, each once, in order, one transaction each.

Our own forty lines and not yoyo-migrations: its lock is a row that a killed process leaves behind for somebody to
break, its hash is of a migration's name and not of its text, and it keeps its tables in schema `public`.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg
import structlog

from flight_platform.errors import FlightError
from flight_platform.history.roles import grant_analyst
from flight_platform.history.sql import query

log = structlog.get_logger()

_LOCK: Final = 0x6D696772617465  # advisory lock of the database: whoever migrates holds it ("migrate" in ASCII)


class MigrationError(FlightError):
    """A migration that was applied is not the one in this release."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name without the suffix, and its text."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations of this release, in order."""
    folder = files("flight_platform") / "sql" / "migrations"
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".sql")), key=lambda path: path.name)
    return [Migration(path.name.removesuffix(".sql"), path.read_text()) for path in paths]


def migrate(url: str, analyst_url: str | None = None) -> list[str]:
    """Applies what is missing and returns its names; whoever comes second waits and finds nothing to do.

    With `analyst_url`, the role that it names is made (or given that password) and may read schema `analytics`.
    """
    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="migrate") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # freed with the connection, however it ends
        connection.execute(query("migrations_table"))
        missing = _missing(connection, migrations())
        for migration in missing:
            with connection.transaction():
                connection.execute(migration.text.encode())
                connection.execute(query("migrations_record"), [migration.name, migration.sha256])
            log.info("migrated", migration=migration.name)
        if analyst_url is not None:
            grant_analyst(connection, analyst_url)
        return [migration.name for migration in missing]


def pending(url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply; changes nothing."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="migrate") as connection:
        table = connection.execute("SELECT to_regclass('ops.migrations')").fetchone()
        if table is None or table[0] is None:
            return [migration.name for migration in migrations()]
        return [migration.name for migration in _missing(connection, migrations())]


def _missing(connection: psycopg.Connection, known: list[Migration]) -> list[Migration]:
    applied: dict[str, str] = dict(connection.execute("SELECT name, sha256 FROM ops.migrations").fetchall())
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                f"{migration.name}.sql was changed after it was applied here; put it back, and write the change as a "
                "new migration"
            )
    ahead = applied.keys() - {migration.name for migration in known}
    if ahead:
        log.warning("database_is_newer", migrations=sorted(ahead), advice="update this program")
    return [migration for migration in known if migration.name not in applied]
