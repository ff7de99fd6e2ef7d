"""The files of the edge that more than the edge itself reads: where they are, who has a key, until when all holds.

Who may have a key is the matter of `cli/keys.py`, what HAProxy does with it that of `deploy/haproxy/haproxy.cfg`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from flight_platform.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that holds, as the file has it. `expires` is the last day (UTC) on which it does."""

    digest: str
    name: str
    rate: int
    role: str
    since: str
    daily: int | None = None
    expires: str | None = None

    @classmethod
    def parse(cls, line: str) -> Self:
        """A line of the file."""
        digest, _, value = line.strip().partition(" ")
        name, rate, role, since, daily, expires = [*value.split(":"), "", ""][:6]
        amount = int(daily) if daily else None
        return cls(
            digest=digest, name=name, rate=int(rate), role=role, since=since, daily=amount, expires=expires or None
        )

    @property
    def value(self) -> str:
        """What HAProxy finds under the hash."""
        daily = "" if self.daily is None else str(self.daily)
        return f"{self.name}:{self.rate}:{self.role}:{self.since}:{daily}:{self.expires or ''}".rstrip(":")


def home(settings: Settings) -> Path:
    """Where its configuration, its certificate and the file of keys are."""
    return settings.var.resolve() / "edge"


def keys_file(settings: Settings) -> Path:
    """The keys by their hash: a map of HAProxy's."""
    return home(settings) / "keys.map"


def read_keys(path: Path) -> list[Key]:
    """All keys that are written down, those that have expired too."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Key.parse(line) for line in lines if line.strip()]


def certificate(settings: Settings) -> Path:
    """Certificate and key in one PEM file."""
    return settings.edge_certificate or home(settings) / "self-signed.pem"


def certificate_ends(path: Path) -> datetime | None:
    """Until when the certificate in a PEM file is valid, the first where it has a chain; None where there is none."""
    from cryptography import x509  # late: 30 ms, and only who looks after the house asks

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found[0].not_valid_after_utc.astimezone(UTC)
