"""The analysts' role as an analyst would try it: no way out of schema `analytics`, and no way past its limits."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from flight_platform.history.migrate import migrate
from flight_platform.history.roles import CONNECTION_LIMIT, end_overlong
from flight_platform.testing import DatabaseUrls, wait_until

pytestmark = pytest.mark.integration

ESCAPES = (
    "SELECT * FROM history.positions",
    "SELECT * FROM ops.offsets",
    "SELECT * FROM reference.airports",
    "SELECT history.make_leaf(now())",
    "INSERT INTO analytics.aircraft (icao24) VALUES ('3c6444')",
    "UPDATE analytics.airports SET name = ''",
    "DELETE FROM analytics.gaps",
    "CREATE TABLE analytics.mine (a integer)",
    "CREATE TABLE public.mine (a integer)",
    "CREATE TEMP TABLE mine (a integer)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION analytics.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY analytics.airports TO '/tmp/airports'",
    "SELECT rolpassword FROM pg_authid",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1, 2)",
    "SELECT pg_reload_conf()",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
    "SET ROLE flight",
    "GRANT pg_read_all_data TO CURRENT_USER",
    "DO $$ BEGIN LOCK TABLE analytics.airports IN ACCESS EXCLUSIVE MODE; END $$",
    "DROP VIEW analytics.positions",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_stat_file('postgresql.conf')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_rotate_logfile()",
    "SELECT current_setting('data_directory')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user AND usename IS NOT NULL",
    "SELECT * FROM ops.audit",
    "SELECT * FROM history.statistics_flights",
    "SET SESSION AUTHORIZATION flight",
    "SET session_replication_role = replica",
    "SET log_statement = 'none'",
    "SET temp_file_limit = -1",
    "ALTER SYSTEM SET statement_timeout = 0",
    "CREATE EXTENSION pg_trgm SCHEMA analytics",
    "CREATE PUBLICATION mine",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "CREATE FUNCTION pg_temp.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "COMMENT ON VIEW analytics.positions IS 'mine'",
    "CHECKPOINT",
)


@pytest.fixture
def database(migrated: DatabaseUrls) -> DatabaseUrls:
    """The module's own: nothing is put into it, so it need not be emptied for each statement."""
    return migrated


REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)


@pytest.mark.parametrize("statement", ESCAPES)
def test_there_is_no_way_out(statement: str, analyst: psycopg.Connection) -> None:
    """Neither as a session begins nor after it has set itself free of what are only defaults."""
    with pytest.raises(REFUSED):
        analyst.execute(statement.encode())
    analyst.execute("SET default_transaction_read_only = off; SET statement_timeout = 0; SET search_path = ''")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        analyst.execute(statement.encode())


def test_everything_in_schema_analytics_can_be_read(analyst: psycopg.Connection) -> None:
    views = analyst.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'analytics'::regnamespace"
    ).fetchall()
    assert len(views) > 8
    for (view,) in views:
        analyst.execute(f"SELECT * FROM {view} LIMIT 1".encode())  # noqa: S608  # a name from the catalog


def test_other_schemas_and_databases_are_shut(analyst: psycopg.Connection, database: DatabaseUrls) -> None:
    open_schemas = analyst.execute(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'USAGE') AND nspname !~ '^pg_|^information_'"
    ).fetchall()
    assert open_schemas == [("analytics",)]
    for name in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(make_conninfo(database["analyst_url"], dbname=name))


def test_what_is_not_meant_for_analysts_is_not_shown(
    connection: psycopg.Connection, analyst: psycopg.Connection
) -> None:
    """Neither the questions of others nor what the server has sampled from tables."""
    connection.execute("ANALYZE ops.migrations")
    assert analyst.execute("SELECT count(*) FROM pg_stats WHERE schemaname IN ('history', 'ops')").fetchone() == (0,)
    seen = analyst.execute("SELECT DISTINCT query FROM pg_stat_activity WHERE usename <> current_user").fetchall()
    assert set(seen) <= {("<insufficient privilege>",)}


def test_a_session_begins_with_its_limits(analyst: psycopg.Connection) -> None:
    found = analyst.execute(
        "SELECT current_setting('statement_timeout'), current_setting('default_transaction_read_only'), rolconnlimit,"
        " current_setting('timezone'), current_setting('temp_file_limit') FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert found == ("1min", "on", 20, "UTC", "4GB")


def test_the_timeout_ends_a_statement(analyst: psycopg.Connection) -> None:
    analyst.execute("SET statement_timeout = '50ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        analyst.execute("SELECT pg_sleep(30)")


def running(url: str, *statements: str) -> tuple[threading.Thread, list[BaseException]]:
    """A session of its own that asks these one after the other; what it met is in the list."""
    met: list[BaseException] = []

    def ask() -> None:
        try:
            with psycopg.connect(url, application_name="games") as session:
                for statement in statements:
                    session.execute(statement.encode())
        except psycopg.Error as error:
            met.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread, met


GAMES: dict[str, Callable[[], list[str]]] = {
    "no timeout": lambda: ["SET statement_timeout = 0", "SELECT pg_sleep(60)"],
    "catches the cancel": lambda: [
        "SET statement_timeout = '100ms'",
        "DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(60); END $$",
    ],
}


@pytest.mark.parametrize("game", GAMES)
def test_who_sets_the_timeout_aside_is_ended(game: str, connection: psycopg.Connection, database: DatabaseUrls) -> None:
    thread, met = running(database["analyst_url"], *GAMES[game]())

    def ended() -> Any:
        return end_overlong(connection, database["analyst_url"], statement_s=0.5, transaction_s=3600)

    found: list[Any] = []
    wait_until(lambda: found.extend(ended()) or found, what="the session is ended")  # type: ignore[func-returns-value]
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert "pg_sleep(60)" in found[0].question
    assert isinstance(met[0], psycopg.errors.AdminShutdown)


def test_a_transaction_that_is_left_open_is_ended(connection: psycopg.Connection, database: DatabaseUrls) -> None:
    with psycopg.connect(database["analyst_url"]) as idle, psycopg.connect(database["analyst_url"]) as harmless:
        idle.execute("SELECT 1")
        harmless.execute("SELECT 1")
        harmless.rollback()
        found: list[Any] = []

        def ended() -> bool:
            found.extend(end_overlong(connection, database["analyst_url"], transaction_s=0.2))
            return bool(found)

        wait_until(ended, what="the open transaction is ended")
        assert [one.pid for one in found] == [idle.info.backend_pid]
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        harmless.execute("SELECT 1")


def test_nobody_else_is_ended(connection: psycopg.Connection, database: DatabaseUrls) -> None:
    with psycopg.connect(database["postgres_url"]) as ours:
        ours.execute("SELECT 1")
        assert end_overlong(connection, database["analyst_url"], statement_s=0, transaction_s=0) == []
        ours.execute("SELECT 1")


def test_connections_are_limited(database: DatabaseUrls) -> None:
    with ExitStack() as sessions:
        for _ in range(CONNECTION_LIMIT):
            sessions.enter_context(psycopg.connect(database["analyst_url"]))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(database["analyst_url"])


def test_what_a_role_may_change_of_itself_is_put_back(database: DatabaseUrls, analyst: psycopg.Connection) -> None:
    """Postgres lets every role change its own password and defaults; migrating again undoes it."""
    analyst.execute("SET default_transaction_read_only = off")
    name = sql.Identifier(analyst.info.dbname)
    analyst.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine'")
    analyst.execute("ALTER ROLE CURRENT_USER SET work_mem = '1GB'")
    analyst.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET statement_timeout = 0").format(name))
    analyst.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} RESET ALL").format(name))
    migrate(database["postgres_url"], database["analyst_url"])
    with psycopg.connect(database["analyst_url"]) as again:
        assert again.execute("SHOW statement_timeout").fetchone() == ("1min",)
        assert again.execute("SHOW work_mem").fetchone() != ("1GB",)
