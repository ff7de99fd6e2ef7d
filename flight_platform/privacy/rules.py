"""The rules of the block list: of whom they tell, what happens to the reports, from when to when, and why.

    a CSV file (FLIGHT_BLOCK_LIST)  ─┐
    ops.block_list (flight block-list)┴─► Rule ─► the feed's door (streaming/blocklist.py)
                                          └─────► history's door  (history/withholding.py)

A rule of a registration holds for the address that `reference.aircraft` gives it at the moment it is read.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from flight_platform.errors import InvalidIdentifierError, SettingsError
from flight_platform.history.sql import query
from flight_platform.model import address_of, clean_callsign
from flight_platform.names import Treatment
from flight_platform.privacy.audit import Action, record

SEEN_WITHIN_S: Final = 10.0  # how often a feed looks: so long may an aircraft still be shown after a rule was made
_REGISTRATION: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{1,9}")
_EXAMPLE: Final = "icao24,registration,callsign,action,from,until,reason / a1b2c3,,,drop,,2027-12-31,owner's request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Of whom a rule tells: exactly one of the three."""

    icao24: str | None = None
    registration: str | None = None
    callsign: str | None = None

    @classmethod
    def of(
        cls, *, icao24: str | None = None, registration: str | None = None, callsign: str | None = None
    ) -> "Subject":
        """As people write them; raises InvalidIdentifierError where it is none, or not exactly one."""
        given = [text for text in (icao24, registration, callsign) if text]
        if len(given) != 1:
            raise InvalidIdentifierError("exactly one of address, registration and callsign is expected")
        if icao24:
            address_of(icao24.lower())
            return cls(icao24=icao24.lower())
        if registration:
            text = registration.strip().upper()
            if not _REGISTRATION.fullmatch(text):
                raise InvalidIdentifierError(f"{registration!r} is no registration: it looks like D-AIMA or N123AB")
            return cls(registration=text)
        cleaned = clean_callsign(callsign)
        if cleaned is None:
            raise InvalidIdentifierError(f"{callsign!r} is no callsign: it looks like DLH123")
        return cls(callsign=cleaned)

    def __str__(self) -> str:
        return self.icao24 or self.registration or self.callsign or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What happens to the reports of a subject between two days, both included (None: from ever, for good).

    `address` is that of the subject now, as text; None for a callsign, and for a registration that nobody knows.
    """

    subject: Subject
    treatment: Treatment
    reason: str
    address: str | None
    since: date | None = None
    until: date | None = None
    rule_id: int | None = None

    def holds(self, day: date) -> bool:
        """Whether it counts on that day (UTC)."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def read_file(path: Path) -> Iterator[Rule]:
    """The rules in a CSV file. Raises SettingsError naming the line that is wrong.

    A registration needs the database: `flight block-list import` takes it there.
    """
    for where, rule in parse_file(path):
        if rule.subject.registration is not None:
            raise SettingsError(
                f"{where}: a registration needs the table of aircraft, which a file does not have. Name the address, "
                f"or put the list into the database: flight block-list import {path}"
            )
        yield rule


def parse_file(path: Path) -> Iterator[tuple[str, Rule]]:
    """Each rule of a CSV file, registrations included, with where it stands."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                where = f"FLIGHT_BLOCK_LIST: {path}, line {number}"
                yield where, _parse(row, where)
    except OSError as error:
        raise SettingsError(f"FLIGHT_BLOCK_LIST: {path} cannot be read ({error.strerror})") from None


def _parse(row: Mapping[str | Any, str | Any], where: str) -> Rule:
    values = {name: (row.get(name) or "").strip() for name in _EXAMPLE.split(" / ")[0].split(",")}
    if values["action"] not in set(Treatment):
        raise SettingsError(
            f"{where}: action is {values['action']!r}, possible are drop and anonymise. Example: {_EXAMPLE}"
        )
    try:
        subject = Subject.of(
            icao24=values["icao24"] or None,
            registration=values["registration"] or None,
            callsign=values["callsign"] or None,
        )
        since, until = (date.fromisoformat(values[name]) if values[name] else None for name in ("from", "until"))
    except ValueError as error:
        raise SettingsError(f"{where}: {error}. Example: {_EXAMPLE}") from None
    return Rule(
        subject=subject,
        treatment=Treatment(values["action"]),
        reason=values["reason"],
        address=subject.icao24,
        since=since,
        until=until,
    )


def read_rules(connection: psycopg.Connection[Any]) -> list[Rule]:
    """The rules in the database, oldest first, each registration with the address that it has now."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_rule(row) for row in cursor.execute(query("block_list_rules"))]


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(
        subject=Subject(icao24=row["icao24"], registration=row["registration"], callsign=row["callsign"]),
        treatment=Treatment(row["treatment"]),
        reason=row["reason"],
        address=row["address"],
        since=row["since"],
        until=row["until"],
        rule_id=row["rule_id"],
    )


def add_rules(connection: psycopg.Connection[Any], rules: Iterable[Rule], *, actor: str) -> list[int]:
    """Adds those that are not there yet and audits each; all or none. Answers with their numbers, old ones too."""
    numbers = []
    with connection.transaction():
        for rule in rules:
            values = {
                "icao24": rule.subject.icao24,
                "registration": rule.subject.registration,
                "callsign": rule.subject.callsign,
                "treatment": rule.treatment.value,
                "since": rule.since,
                "until": rule.until,
                "reason": rule.reason,
                "actor": actor,
            }
            found = connection.execute(query("block_list_find"), values).fetchone()
            if found is None:
                found = connection.execute(query("block_list_add"), values).fetchone()
                assert found is not None  # noqa: S101  # INSERT ... RETURNING
                detail = {
                    "rule_id": found[0],
                    "treatment": rule.treatment.value,
                    "from": rule.since,
                    "until": rule.until,
                }
                record(connection, actor, Action.BLOCK, str(rule.subject), rule.reason, detail)
            numbers.append(found[0])
    return numbers


def remove_rule(connection: psycopg.Connection[Any], rule_id: int, *, actor: str, reason: str) -> Rule | None:
    """Takes a rule off the list and audits it; None where there is none of that number."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("block_list_remove"), {"rule_id": rule_id}).fetchone()
        if row is None:
            return None
        rule = _rule(row)
        record(connection, actor, Action.UNBLOCK, str(rule.subject), reason, {"rule_id": rule_id, "was": rule.reason})
        return rule
