"""Live servers filled as a live consumer fills them."""

from collections.abc import Iterator
from contextlib import contextmanager

from flight_platform.codec import decode_columns, encode
from flight_platform.kafka import now_ms
from flight_platform.live.writer import LiveWriter
from flight_platform.model import Position, make_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

FIRST_SEEN_S = 1_769_860_000
WITHIN_S = 30  # what may take that long on a machine that is busy with other things


def position(address: int, latitude: float, longitude: float, **fields: object) -> Position:
    """A report of half a second ago."""
    time_ms = now_ms() - 500
    values = {"time": time_ms, "received_at": time_ms + 40, "source": "paris", **fields}
    return Position(
        icao24=f"{address:06x}",
        latitude=latitude,
        longitude=longitude,
        flight_id=make_flight_id(address, FIRST_SEEN_S),
        **values,  # type: ignore[arg-type]
    )


class Filling:
    """A writer with all servers reached; what it writes is there when it returns."""

    def __init__(self, settings: Settings) -> None:
        self._writer = LiveWriter(settings)

    def start(self, *positions: Position) -> None:
        """The first flights, and a watermark."""
        columns, bad = decode_columns([encode(p) for p in positions])
        assert bad == []
        wait_until(self._writer.unfilled, WITHIN_S, "the live server to be reached")
        wait_until(lambda: (self._writer.fill(columns, now_ms()), not self._writer.away())[1], WITHIN_S, "all filled")
        assert self._writer.write_watermarks({0: now_ms()}, 1)

    def write(self, *positions: Position) -> None:
        """Newer reports."""
        columns, bad = decode_columns([encode(p) for p in positions])
        assert bad == []
        assert self._writer.write(columns, now_ms()) == len(positions)
        self._writer.settle()
        assert self._writer.write_watermarks({0: now_ms()}, 1)

    def stall(self, age_ms: int) -> None:
        """As a live consumer while nothing comes: the watermark stays where it was, so many milliseconds ago."""
        assert self._writer.write_watermarks({0: now_ms() - age_ms}, 1)

    def close(self) -> None:
        self._writer.close()


@contextmanager
def filled(settings: Settings, *positions: Position) -> Iterator[Filling]:
    """The live servers with these flights and a watermark, as a live consumer leaves them."""
    filling = Filling(settings)
    try:
        filling.start(*positions)
        yield filling
    finally:
        filling.close()
