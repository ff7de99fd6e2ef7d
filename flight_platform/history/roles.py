"""The analysts' login role: made, given its password and its grants. What it may see stands in the migrations.

It may read schema `analytics` and nothing else. The settings of its sessions (read-only, time limit) are defaults that
a session can change: they keep honest people from accidents; the grants keep everybody from the rest.
"""

from typing import Final

import psycopg
import stamina
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from flight_platform.errors import SettingsError
from flight_platform.history.sql import query

CONNECTION_LIMIT: Final = 20
SESSION_DEFAULTS: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "10min",  # an idle transaction's snapshot keeps dead rows from vacuum
    "search_path": "analytics",
    "timezone": "UTC",
}
# "tuple concurrently updated" is an internal error.
_MET_ANOTHER: Final = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,
)
_TRIES: Final = 5  # roles belong to the whole server: migrations of two of its databases can meet here


def grant_analyst(connection: psycopg.Connection, analyst_url: str) -> None:
    """Makes the role of that address, or brings it to what it should be; safe to repeat."""
    parts = conninfo_to_dict(analyst_url)
    role, password = parts.get("user"), parts.get("password")
    if not isinstance(role, str) or not isinstance(password, str):
        raise SettingsError(
            "FLIGHT_ANALYST_URL: a user and a password are needed. "
            "Example: FLIGHT_ANALYST_URL=postgresql://analyst:secret@db.example:5432/flight"
        )
    for attempt in stamina.retry_context(on=_MET_ANOTHER, attempts=_TRIES):
        with attempt, connection.transaction():
            _make(connection, role, password)
            _grant(connection, role)


def _make(connection: psycopg.Connection, role: str, password: str) -> None:
    found = connection.execute(query("roles_rights"), [role]).fetchone()
    if found is not None and found[0]:
        raise SettingsError(
            f"FLIGHT_ANALYST_URL: role {role!r} can do more than read; name a role of its own for analysts"
        )
    verb = sql.SQL("CREATE" if found is None else "ALTER")
    # The hash is made here: the password itself is neither sent nor logged.
    secret = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(CONNECTION_LIMIT), sql.Literal(secret)
        )
    )


def _grant(connection: psycopg.Connection, role: str) -> None:
    names = {"role": sql.Identifier(role), "database": sql.Identifier(connection.info.dbname)}
    for statement in (
        "REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA analytics TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(**names))
    for name, value in SESSION_DEFAULTS.items():
        setting = sql.SQL("ALTER ROLE {role} IN DATABASE {database} SET {name} = {value}")
        connection.execute(setting.format(**names, name=sql.Identifier(name), value=sql.Literal(value)))
    if connection.info.parameter_status("is_superuser") == "on":  # only a superuser can: these are the server's own
        connection.execute(query("roles_reserve_functions"))
