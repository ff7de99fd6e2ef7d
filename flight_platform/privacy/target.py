"""What is to be forgotten: an aircraft by its addresses, or all that flew under a callsign."""

from collections.abc import Collection
from dataclasses import dataclass

from flight_platform.model import Position, address_of

Span = tuple[int, int]  # flight ids, both ends included


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Addresses as text, or a callsign. A callsign names whole flights: those that ever told it."""

    addresses: frozenset[str] = frozenset()
    callsign: str | None = None

    def names(self, position: Position) -> bool:
        """Whether a report is about it."""
        return position.icao24 in self.addresses or (self.callsign is not None and position.callsign == self.callsign)

    def spans(self, flights: Collection[int] = ()) -> list[Span]:
        """Ranges of flight ids: all of each address, and these flights."""
        numbers = sorted(address_of(icao24) for icao24 in self.addresses)
        return [(number << 32, (number + 1 << 32) - 1) for number in numbers] + [(one, one) for one in sorted(flights)]
