"""The audit: what was done with data about persons, by whom and why. Rows are only added."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import psycopg

from flight_platform.history.sql import query


class Action(StrEnum):
    """What was done: a closed list."""

    BLOCK = "block"
    UNBLOCK = "unblock"
    FORGET = "forget"
    EXPORT = "export"


def record(
    connection: psycopg.Connection[Any],
    actor: str,
    action: Action,
    subject: str,
    reason: str,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Adds a row, in the caller's transaction where there is one; answers with its number."""
    row = connection.execute(
        query("audit_add"),
        {
            "actor": actor,
            "action": action.value,
            "subject": subject,
            "reason": reason,
            "detail": json.dumps(dict(detail or {}), default=str),
        },
    ).fetchone()
    assert row is not None  # noqa: S101  # INSERT ... RETURNING
    return int(row[0])
