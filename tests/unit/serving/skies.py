"""Skies as the live store tells them, for tests of what is made of them."""

from typing import Any

from flight_platform.live.client import LiveAnswer
from flight_platform.model import Position, icao24_of, make_flight_id
from serving.frame import Frame
from serving.snapshot import Snapshot

START_MS = 1_769_860_800_000


def flight(number: int, latitude: float, longitude: float, time_ms: int = START_MS, **fields: Any) -> Position:
    """The report of one flight."""
    return Position(
        icao24=icao24_of(number),
        flight_id=make_flight_id(number, 1_769_860_000),
        time=time_ms,
        received_at=time_ms + 40,
        latitude=latitude,
        longitude=longitude,
        **fields,
    )


def answer(*flights: Position, missing: tuple[str, ...] = ()) -> LiveAnswer:
    """What the store says of them."""
    ordered = sorted(flights, key=lambda position: position.flight_id or 0)
    return LiveAnswer(ordered, bool(missing), missing, START_MS)


def snapshot(*flights: Position, time_ms: int = START_MS) -> Snapshot:
    """The snapshot of them."""
    told = answer(*flights)
    return Snapshot(told, told.positions, Frame.of(told.positions, time_ms))
