"""Which live servers hold a flight: rendezvous (highest random weight) hashing over the configured addresses.

Each flight gives each server a weight, and the R servers that weigh most hold it. So the order of the list does not
matter, a server that is added takes 1/N of the flights from all others alike, and one that is taken away leaves the
flights of the others where they are. Nothing here talks to a server.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

from flight_platform.errors import SettingsError

DEFAULT_PORT: Final = 9851  # Tile38's own


@dataclass(frozen=True, slots=True)
class Shard:
    """One live server's address. `label` is what people may see: host and port, no password."""

    host: str
    port: int
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @property
    def label(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_shards(urls: Sequence[str]) -> tuple[Shard, ...]:
    """The servers in a list of `redis://:password@host:port` addresses."""
    shards = tuple(_parse(url) for url in urls)
    labels = [shard.label for shard in shards]
    for label in labels:
        if labels.count(label) > 1:
            raise SettingsError(f"FLIGHT_TILE38_URLS names {label} twice; each live server belongs there once")
    return shards


def _parse(url: str) -> Shard:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise SettingsError("FLIGHT_TILE38_URLS: an address has no host. Example: redis://:password@10.0.0.1:9851")
    password = unquote(parts.password) if parts.password else None
    return Shard(host, port, password, parts.scheme == "rediss")


class Placement:
    """Where flights go: `copies` of the servers each."""

    def __init__(self, shards: Sequence[Shard], copies: int) -> None:
        self.copies = min(copies, len(shards))
        # The address without the password: a new password must not move a flight.
        seeds = [int.from_bytes(blake2b(shard.label.encode(), digest_size=8).digest(), "little") for shard in shards]
        self._seeds = np.array(seeds, dtype="u8")[:, None]

    def holders(self, flight_ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """A matrix, servers by flights: true where that server holds that flight."""
        count = len(self._seeds)
        if self.copies == count:
            return np.ones((count, len(flight_ids)), dtype=bool)
        weights = _mix(flight_ids.astype("u8")[None, :] ^ self._seeds)
        holders = np.zeros(weights.shape, dtype=bool)
        heaviest = np.argpartition(weights, count - self.copies, axis=0)[count - self.copies :]
        np.put_along_axis(holders, heaviest, values=True, axis=0)
        return holders


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every input bit changes half of the output's."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
