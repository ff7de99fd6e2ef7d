"""Credentials that run out: passwords of Postgres' roles, the edge's certificate, keys of its readers.

That a source refuses an account is said by its feed (`conditions.concerns`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from flight_platform import edge
from flight_platform.history.sql import query
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert

KIND: Final = "credentials"
EXPIRES_WITHIN: Final = timedelta(days=14)
MADE_ANEW_WITHIN: Final = timedelta(days=7)  # of its end `flight up` makes a self-signed certificate anew
_DAY: Final = timedelta(days=1)


def expiring(connection: psycopg.Connection[Any], settings: Settings, now: datetime) -> list[Alert]:
    """All that run out soon, or have."""
    return [*roles(connection, now), *certificate(settings, now), *keys(settings, now)]


def roles(connection: psycopg.Connection[Any], now: datetime) -> list[Alert]:
    """Roles of Postgres whose password expires within two weeks."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("roles_expiring"), {"until": now + EXPIRES_WITHIN}).fetchall()
    return [
        Alert(
            key=f"{KIND}:postgres:{row['role']}",
            hop="postgres",
            source="",
            severity="warning",
            summary=f"the password of role {row['role']} expires at {row['expires_at']:%Y-%m-%d %H:%M} UTC",
            since=now,
            last_good=row["expires_at"],
            cause="the role was made with VALID UNTIL",
            to_do="Give it a new password and a later date (ALTER ROLE), and change the setting with the address.",
        )
        for row in rows
    ]


def certificate(settings: Settings, now: datetime) -> list[Alert]:
    """The edge's certificate: two weeks before its end, and when it has ended. Nothing where there is none here."""
    path = edge.certificate(settings)
    ends = edge.certificate_ends(path)
    self_signed = settings.edge_certificate is None
    if ends is None or ends - now > (MADE_ANEW_WITHIN if self_signed else EXPIRES_WITHIN):
        return []
    over = ends <= now
    expires = "has expired" if over else "expires"
    renew = "`flight down` and `flight up` make a new one." if self_signed else "Put a new one there; `signal USR2`."
    return [
        Alert(
            key=f"{KIND}:{'expired' if over else 'expiring'}:certificate",
            hop="edge",
            source="",
            severity="critical" if over else "warning",
            summary=f"the edge's certificate {expires} at {ends:%Y-%m-%d %H:%M} UTC",
            since=ends if over else now,
            last_good=ends,
            cause=f"{path} was not renewed",
            to_do=f"{renew} The edge reads it anew without losing a connection (docs/edge.md).",
            code="certificate_expires",
        )
    ]


def keys(settings: Settings, now: datetime) -> list[Alert]:
    """Keys that end within two weeks or have ended, until they are revoked or made anew."""
    found = [(key, _end_of(key.expires)) for key in edge.read_keys(edge.keys_file(settings)) if key.expires]
    return [
        Alert(
            key=f"{KIND}:key:{key.name}",
            hop="edge",
            source="",
            severity="warning",
            summary=f"the key of {key.name} holds until {key.expires}, the end of the day (UTC)",
            since=now,
            last_good=ends,
            cause="it was made with --expires",
            to_do=f"`flight keys revoke {key.name}` and, where it is to go on, `flight keys add {key.name}`.",
            code="key_expires",
        )
        for key, ends in found
        if ends - now <= EXPIRES_WITHIN
    ]


def _end_of(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + _DAY
