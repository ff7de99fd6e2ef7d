"""Synthetic tracked reports: known flights at known times, so that what must be in history can be computed."""

from flight_platform.codec import encode
from flight_platform.model import Emergency, Kind, Position, address_of, make_flight_id

HOUR_MS = 3_600_000


def report(icao24: str, first_seen_s: int, time_ms: int, **fields: object) -> Position:
    """A tracked report with all fields known, save those that `fields` says otherwise."""
    values: dict[str, object] = {
        "icao24": icao24,
        "time": time_ms,
        "received_at": time_ms + 700,
        "latitude": 50.0 + time_ms % 100_000 / 1e5,
        "longitude": -8.0,
        "altitude_ft": 30_000,
        "geometric_altitude_ft": 30_525,
        "on_ground": False,
        "ground_speed_kt": 420.5,
        "track_deg": 0.0,
        "vertical_rate_fpm": 0,
        "callsign": "TEST123",
        "squawk": "0000",
        "emergency": Emergency.NONE,
        "kind": Kind.ADSB,
        "source": "synthetic",
        "flight_id": make_flight_id(address_of(icao24), first_seen_s),
        **fields,
    }
    return Position(**values)  # type: ignore[arg-type]


def stream(flights: int, reports_each: int, start_ms: int, step_ms: int = 1_000) -> list[Position]:
    """Reports of several flights, interleaved, as they would come."""
    return [
        report(f"{0x400000 + flight:06x}", start_ms // 1000, start_ms + tick * step_ms + flight % step_ms)
        for tick in range(reports_each)
        for flight in range(flights)
    ]


def encoded(positions: list[Position]) -> list[bytes]:
    return [encode(position) for position in positions]
