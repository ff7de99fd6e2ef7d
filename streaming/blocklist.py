"""The feed's door: reports of aircraft that must not be shown are dropped, or go on under a pseudonym.

    FLIGHT_BLOCK_LIST (a CSV file)  ──┐
    ops.block_list (the database)   ──┴─► BlockList ──► apply: before anything is written anywhere
         └──► var/block-list.json, for the next start without a database

A feed never waits for the database: it goes on with the list as it was last seen. What passes a feed that has never
seen it is held back by history's own door, which cannot miss (`flight_platform/history/withholding.py`). What a rule is
stands in `flight_platform/privacy/rules.py`.
"""

import hashlib
import json
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import psycopg
import structlog

from flight_platform.errors import ServerUnavailableError
from flight_platform.history.sql import query
from flight_platform.model import Position
from flight_platform.names import Treatment
from flight_platform.privacy.rules import SEEN_WITHIN_S, Rule, Subject, read_file, read_rules
from flight_platform.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BlockList:
    """The rules by address and by callsign. The pseudonyms' key lives and dies with the process."""

    by_address: dict[str, list[Rule]] = field(default_factory=dict)
    by_callsign: dict[str, list[Rule]] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @classmethod
    def of(cls, rules: Iterable[Rule], key: bytes | None = None) -> "BlockList":
        """The list of these rules."""
        addresses: dict[str, list[Rule]] = defaultdict(list)
        callsigns: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            if rule.subject.callsign is not None:
                callsigns[rule.subject.callsign].append(rule)
            elif rule.address is not None:
                addresses[rule.address].append(rule)
        return cls(dict(addresses), dict(callsigns), key or secrets.token_bytes(16))

    @classmethod
    def read(cls, path: Path | None) -> "BlockList":
        """The list in a file alone; none where there is no path. Raises SettingsError naming the line that is wrong."""
        return cls.of(read_file(path) if path else ())

    @classmethod
    def now(cls, settings: Settings) -> "BlockList":
        """File and database as they are, for who can wait; raises ServerUnavailableError where it does not answer."""
        try:
            with psycopg.connect(settings.postgres_url.get_secret_value(), connect_timeout=5) as connection:
                return cls.of([*_of_file(settings), *read_rules(connection)])
        except psycopg.OperationalError as error:
            raise ServerUnavailableError(
                f"the block list cannot be read ({str(error).strip()}), and without it nothing goes back; `flight "
                "doctor` tells how Postgres is"
            ) from error

    def apply(self, positions: Iterable[Position], now_ms: int) -> Iterator[Position]:
        """The reports that may go on, as they may go on. Of several rules the stricter one counts."""
        if not self.by_address and not self.by_callsign:
            yield from positions
            return
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        for position in positions:
            treatments = self._treatments(position, today)
            if not treatments:
                yield position
            elif Treatment.DROP not in treatments:
                yield self._anonymise(position, today)

    def _treatments(self, position: Position, today: date) -> set[Treatment]:
        if position.icao24 not in self.by_address and position.callsign not in self.by_callsign:
            return set()
        named = self.by_address.get(position.icao24, [])
        if position.callsign is not None:
            named = [*named, *self.by_callsign.get(position.callsign, [])]
        return {rule.treatment for rule in named if rule.holds(today)}

    def _anonymise(self, position: Position, today: date) -> Position:
        digest = hashlib.blake2b(f"{position.icao24} {today}".encode(), key=self.key, digest_size=3).hexdigest()
        return replace(position, icao24=f"~{digest}", callsign=None, squawk=None)


class Gate:
    """The block list of a running feed, looked up again by a thread of its own.

    Made before the feed starts: raises SettingsError for a file that is wrong. As a context it begins to look.
    """

    def __init__(self, settings: Settings, *, every_s: float = SEEN_WITHIN_S) -> None:
        self._url = settings.postgres_url.get_secret_value()
        self._name = f"{settings.instance} block list"
        self._copy = settings.var / "block-list.json"
        self._every_s = every_s
        self._of_file = _of_file(settings)
        self._key = secrets.token_bytes(16)
        self._revision: int | None = -1  # of no state of the list
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again, name="block-list", daemon=True)
        kept = self._kept()
        self._never_seen = kept is None
        self._list = self._with(kept or [])

    def __enter__(self) -> Self:
        if self._never_seen:  # the first feed of this machine: better a moment late than one report too many
            with suppress(psycopg.Error), self._connect() as connection:
                self._look(connection)
        if self._never_seen:
            log.warning("block_list_unknown", advice="the database does not answer; its rules hold once it does")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def apply(self, positions: Iterable[Position], now_ms: int) -> Iterator[Position]:
        """The reports that may go on, by the list as it was last seen."""
        return self._list.apply(positions, now_ms)

    def _with(self, of_database: Iterable[Rule]) -> BlockList:
        return BlockList.of([*self._of_file, *of_database], self._key)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True, connect_timeout=3, application_name=self._name)

    def _look_again(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        reported = False
        while not self._stop.is_set():
            try:
                connection = connection or self._connect()
                self._look(connection)
                reported = False
            except psycopg.Error as error:
                if not reported:
                    log.warning("block_list_as_it_was", problem=str(error).strip())
                reported = True
                if connection is not None:
                    connection.close()
                connection = None
            self._stop.wait(self._every_s)
        if connection is not None:
            connection.close()

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        found = connection.execute(query("block_list_revision")).fetchone()
        revision = None if found is None else int(found[0])
        if revision == self._revision:
            return
        rules = read_rules(connection)
        self._list, self._revision, self._never_seen = self._with(rules), revision, False
        self._keep(rules)
        log.info("block_list", rules=len(rules) + len(self._of_file))

    def _keep(self, rules: list[Rule]) -> None:
        """For the next start. Its owner alone may read it: it names who must not be seen."""
        partial = self._copy.with_name(f"{self._copy.name}.{os.getpid()}")
        try:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump([_to_json(rule) for rule in rules], file)
            partial.replace(self._copy)
        except OSError as error:
            log.warning("block_list_not_kept", file=str(self._copy), problem=str(error))

    def _kept(self) -> list[Rule] | None:
        """The list of the last run; None where there is none that can be read."""
        try:
            return [_from_json(row) for row in json.loads(self._copy.read_text())]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("block_list_copy_ignored", file=str(self._copy), problem=str(error))
            return None


def _of_file(settings: Settings) -> list[Rule]:
    return list(read_file(settings.block_list)) if settings.block_list else []


def _to_json(rule: Rule) -> dict[str, str | None]:
    return {
        "address": rule.address,
        "callsign": rule.subject.callsign,
        "treatment": rule.treatment,
        "since": rule.since.isoformat() if rule.since else None,
        "until": rule.until.isoformat() if rule.until else None,
    }


def _from_json(row: dict[str, str | None]) -> Rule:
    since, until = (None if row[name] is None else date.fromisoformat(str(row[name])) for name in ("since", "until"))
    return Rule(
        subject=Subject(icao24=row["address"], callsign=row["callsign"]),
        treatment=Treatment(str(row["treatment"])),
        reason="",
        address=row["address"],
        since=since,
        until=until,
    )
