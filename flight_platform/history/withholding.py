"""History's door: reports of aircraft on the block list do not pass, whatever brought them here.

The feed's door keeps out what comes from a source. This one keeps out what was in Kafka already when the rule was made,
or comes from it again: a consumer that begins anew, a replay of `flight.positions`. History alone keeps for long, so
here it must be certain: the list is looked at within the transaction that writes. (Track and live have no door of their
own: what passes through them is gone from there within the minute, or with Kafka's retention.)

A pseudonym is the feed's to give. Whoever comes here under its own name although a rule says `anonymise` is older than
the rule, and is withheld too.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.sql import query
from flight_platform.model import address_of
from flight_platform.privacy.rules import Rule, read_rules

_NEVER_LOOKED: Final = -1


class Withholding:
    """The rules as the database has them now; one row is read each time, the list only when it has changed."""

    def __init__(self, connection: psycopg.Connection, now_ms: Callable[[], int]) -> None:
        self._connection, self._now_ms = connection, now_ms
        self._revision: int | None = _NEVER_LOOKED
        self._day = date.min
        self._rules: list[Rule] = []
        self._addresses = np.empty(0, dtype="i8")
        self._callsigns = np.empty(0, dtype=COLUMN_TYPES["callsign"])

    def rows(self, columns: Columns) -> npt.NDArray[np.bool_] | None:
        """The rows that must not be written; None where there are none. Call it within the transaction."""
        self._look()
        if not len(self._addresses) and not len(self._callsigns):
            return None
        named = np.isin(columns["flight_id"] >> 32, self._addresses)
        named |= columns.known["callsign"] & np.isin(columns["callsign"], self._callsigns)
        return named if named.any() else None

    def _look(self) -> None:
        found: tuple[Any, ...] | None = self._connection.execute(query("block_list_revision")).fetchone()
        revision = None if found is None else int(found[0])
        today = datetime.fromtimestamp(self._now_ms() / 1000, UTC).date()
        if revision != self._revision:
            self._rules, self._revision = read_rules(self._connection), revision
        elif today == self._day:
            return
        self._day = today
        counting = [rule for rule in self._rules if rule.holds(today)]
        self._addresses = np.array(sorted({address_of(r.address) for r in counting if r.address}), dtype="i8")
        callsigns = sorted({r.subject.callsign.encode() for r in counting if r.subject.callsign})
        self._callsigns = np.array(callsigns, dtype=COLUMN_TYPES["callsign"])
