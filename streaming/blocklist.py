"""The privacy block list: aircraft that the platform must not show, by address or callsign.

A CSV file with a header: `icao24,callsign,action,until,reason`. A row names an address or a callsign, what happens
to its reports (`drop`, or `anonymise`: a pseudonym that changes each day, no callsign, no squawk), the day after which
it no longer counts (empty: for good) and why. It is applied in the feed, before anything is written anywhere.
"""

import csv
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from flight_platform.errors import SettingsError
from flight_platform.model import Position, address_of

_COLUMNS = ("icao24", "callsign", "action", "until", "reason")
_EXAMPLE = "icao24,callsign,action,until,reason / a1b2c3,,drop,2027-12-31,owner's request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What happens to the reports of one aircraft, until the end of a day (None: for good)."""

    action: str
    until: date | None
    reason: str


@dataclass(frozen=True, slots=True)
class BlockList:
    """The rules by address and by callsign. The pseudonyms' key lives and dies with the process."""

    by_address: dict[str, Rule] = field(default_factory=dict)
    by_callsign: dict[str, Rule] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @classmethod
    def read(cls, path: Path | None) -> "BlockList":
        """The list in a file; none where there is no path. Raises SettingsError naming the line that is wrong."""
        rules = cls()
        if path is None:
            return rules
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for number, row in enumerate(csv.DictReader(file), start=2):
                    rules._add(row, f"{path}, line {number}")
        except OSError as error:
            raise SettingsError(f"FLIGHT_BLOCK_LIST: {path} cannot be read ({error.strerror})") from None
        return rules

    def _add(self, row: dict[str, str], where: str) -> None:
        values = {name: (row.get(name) or "").strip() for name in _COLUMNS}
        icao24, callsign, action = values["icao24"].lower(), values["callsign"].upper(), values["action"]
        problem = ""
        if action not in {"drop", "anonymise"}:
            problem = f"action is {action!r}, possible are drop and anonymise"
        elif not icao24 and not callsign:
            problem = "it names neither icao24 nor callsign"
        try:
            until = date.fromisoformat(values["until"]) if values["until"] else None
            if icao24:
                address_of(icao24)
        except ValueError as error:
            problem = str(error)
        if problem:
            raise SettingsError(f"FLIGHT_BLOCK_LIST: {where}: {problem}. Example: {_EXAMPLE}")
        rule = Rule(action=action, until=until, reason=values["reason"])
        if icao24:
            self.by_address[icao24] = rule
        else:
            self.by_callsign[callsign] = rule

    def apply(self, positions: list[Position], now_ms: int) -> Iterator[Position]:
        """The reports that may go on, as they may go on."""
        if not self.by_address and not self.by_callsign:
            yield from positions
            return
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        for position in positions:
            rule = self.by_address.get(position.icao24) or self.by_callsign.get(position.callsign or "")
            if rule is None or (rule.until is not None and rule.until < today):
                yield position
            elif rule.action == "anonymise":
                yield self._anonymise(position, today)

    def _anonymise(self, position: Position, today: date) -> Position:
        digest = hashlib.blake2b(f"{position.icao24} {today}".encode(), key=self.key, digest_size=3).hexdigest()
        return replace(position, icao24=f"~{digest}", callsign=None, squawk=None)
