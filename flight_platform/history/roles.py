"""The analysts' login role: made, given its password and its grants. What it may see stands in the migrations.

It may read schema `analytics` and nothing else. Three rings hold it there. The grants, which keep everybody from the
rest. The defaults of its sessions (read-only, time limit), which a session can change: they keep honest people from
accidents. And what a session cannot change: the settings that are a superuser's, and `end_overlong`, which ends what
runs on all the same.
"""

from dataclasses import dataclass
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
# A superuser's settings: no session of the role changes them.
FIXED: Final = {
    "log_statement": "all",  # who asked what is in the server's log: a question may be about a person
    "temp_file_limit": "4GB",  # a sort without end must not fill the disk that ingest needs
}
STATEMENT_LIMIT_S: Final = 120.0  # twice the default: who has set the timeout aside is ended then
TRANSACTION_LIMIT_S: Final = (
    1800.0  # an open snapshot keeps dead rows from vacuum, and a lock keeps a leaf from its drop
)
# "tuple concurrently updated" is an internal error.
_MET_ANOTHER: Final = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,
    psycopg.errors.InvalidCatalogName,  # a database that was dropped meanwhile
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


_GRANTS: Final = (
    "REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA analytics TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO {role}",
    # Every role may change its own defaults, for all databases and for one: what it has changed is put back.
    "ALTER ROLE {role} RESET ALL",
    "ALTER ROLE {role} IN DATABASE {database} RESET ALL",
)


def _grant(connection: psycopg.Connection, role: str) -> None:
    # Everybody may enter a new database, make temporary tables there and notify who listens: Dagster's is one of ours.
    for (database,) in connection.execute(query("roles_own_databases")).fetchall():
        shut = sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC")
        connection.execute(shut.format(sql.Identifier(database)))
    names = {"role": sql.Identifier(role), "database": sql.Identifier(connection.info.dbname)}
    for statement in _GRANTS:
        connection.execute(sql.SQL(statement).format(**names))
    settings = dict(SESSION_DEFAULTS)
    if connection.info.parameter_status("is_superuser") == "on":  # only a superuser can: these are the server's own
        settings |= FIXED
        connection.execute(query("roles_reserve_functions"))
    for name, value in settings.items():
        setting = sql.SQL("ALTER ROLE {role} IN DATABASE {database} SET {name} = {value}")
        connection.execute(setting.format(**names, name=sql.Identifier(name), value=sql.Literal(value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session that was ended: its process, how long its transaction had been open, what it last asked."""

    pid: int
    open_s: float | None
    question: str


def end_overlong(
    connection: psycopg.Connection,
    analyst_url: str,
    *,
    statement_s: float = STATEMENT_LIMIT_S,
    transaction_s: float = TRANSACTION_LIMIT_S,
) -> list[Ended]:
    """Ends the analysts' sessions that run on although their time is over: a session may set its timeout to none."""
    role = conninfo_to_dict(analyst_url).get("user")
    limits = {"role": role, "statement_s": statement_s, "transaction_s": transaction_s}
    found = connection.execute(query("roles_end_overlong"), limits).fetchall()
    return [Ended(pid=pid, open_s=open_s, question=question) for pid, open_s, question in found]
