"""Migrations: once each, whoever comes first; and what they make is what is documented."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.errors import SettingsError
from flight_platform.history import migrate as module
from flight_platform.history.migrate import Migration, MigrationError, migrate, migrations, pending
from flight_platform.history.schema import describe
from flight_platform.history.sql import query
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "schema.md"
ALL = [migration.name for migration in migrations()]


def test_two_at_once_apply_each_migration_once(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE twice")
        try:
            url = postgres_server.url("twice")
            assert pending(url) == ALL
            with ThreadPoolExecutor(2) as pool:
                applied = list(pool.map(migrate, [url, url]))
            assert sorted(applied) == [[], ALL]
            assert pending(url) == []
        finally:
            admin.execute("DROP DATABASE twice WITH (FORCE)")


def test_one_that_fails_leaves_nothing_and_goes_on_later(
    database: DatabaseUrls, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database["postgres_url"]
    wrong = Migration("9998_wrong", "CREATE TABLE public.half (a integer); SELECT 1 / 0;")
    monkeypatch.setattr(module, "migrations", lambda: [*migrations(), wrong])
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(url)
    assert pending(url) == ["9998_wrong"]
    assert connection.execute("SELECT to_regclass('public.half')").fetchone() == (None,)


def test_one_that_was_changed_afterwards_is_noticed(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = migrations()
    monkeypatch.setattr(module, "migrations", lambda: [Migration(first.name, first.text + "-- more"), *others])
    for question in (migrate, pending):
        with pytest.raises(MigrationError, match=r"0001_stores\.sql was changed"):
            question(database["postgres_url"])


def test_the_schema_is_the_documented_one(connection: psycopg.Connection) -> None:
    advice = "the migrations changed: python -m flight_platform.history.schema URL > docs/schema.md"
    assert describe(connection) == DOCUMENT.read_text(), advice


def test_everything_has_a_comment(connection: psycopg.Connection) -> None:
    tables = connection.execute(query("schema_tables")).fetchall()
    assert [row for row in tables if not all(row)] == []
    functions = connection.execute(query("schema_functions")).fetchall()
    assert [row[0] for row in functions if not row[3]] == []


def test_the_analysts_role_gets_the_password_it_is_given(database: DatabaseUrls) -> None:
    changed = database["analyst_url"].replace("@", "'\"%40\\@", 1)  # with what needs quoting
    assert migrate(database["postgres_url"], changed) == []
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(database["analyst_url"])
    psycopg.connect(changed).close()
    migrate(database["postgres_url"], database["analyst_url"])
    psycopg.connect(database["analyst_url"]).close()


def test_a_role_that_can_do_more_is_refused(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    with pytest.raises(SettingsError, match="can do more than read"):
        migrate(database["postgres_url"], database["postgres_url"])
    connection.execute("CREATE ROLE too_powerful LOGIN")
    try:
        connection.execute(sql.SQL("GRANT pg_read_all_data TO too_powerful"))
        with pytest.raises(SettingsError, match="can do more than read"):
            migrate(database["postgres_url"], "postgresql://too_powerful:x@127.0.0.1/flight")
        with pytest.raises(SettingsError, match="a user and a password"):
            migrate(database["postgres_url"], "postgresql://127.0.0.1/flight")
    finally:
        connection.execute("DROP ROLE too_powerful")
