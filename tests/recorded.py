"""A recording in a database, by the platform's own steps: decoded, tracked, written, derived and counted."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from flight_platform.codec import encode, stamp_flight_id
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.writer import Writer
from flight_platform.kafka import now_ms
from flight_platform.model import Position, address_of
from streaming.feed import report_of
from streaming.sifting import Limits, sift
from streaming.sources.replay import Replay
from streaming.tracking import Aircraft, Outcome, Verdict
from tests.integration.history.filling import TOPIC, batch_of

_BATCH = 10_000


def tracked(file: Path, source: str = "recording") -> Iterator[bytes]:
    """The positions of a recording as they stand in `flight.positions`."""
    known: dict[str, Aircraft] = {}
    for batch in Replay(source, file).batches(threading.Event()):
        positions, _ = sift(batch, now_ms(), Limits(lateness_s=None, future_s=30))
        for position in positions:
            aircraft = known.setdefault(position.icao24, Aircraft(address_of(position.icao24)))
            yield from _passed(aircraft.judge(report_of(position)))
    for aircraft in known.values():
        yield from _passed(aircraft.refuse_held("the recording ended"))


def _passed(verdicts: list[Verdict]) -> Iterator[bytes]:
    for verdict in verdicts:
        if verdict.outcome is Outcome.PASSED:
            position: Position = verdict.report.payload
            yield stamp_flight_id(encode(position), verdict.flight_id)


def write(connection: psycopg.Connection, values: list[bytes]) -> None:
    """Writes them as the next records of partition 0."""
    start = start_offsets(connection, TOPIC, {0: Span(start=0, stop=1 << 40)})[0]
    writer = Writer(connection, now_ms)
    for first in range(0, len(values), _BATCH):
        some = values[first : first + _BATCH]
        writer.write(batch_of(some, start=start + first))


def hours_of(connection: psycopg.Connection) -> list[datetime]:
    """The hours with positions, oldest first."""
    rows = connection.execute(
        "SELECT DISTINCT date_bin('1 hour', time, 'epoch') FROM history.positions ORDER BY 1"
    ).fetchall()
    return [hour.astimezone(UTC) for (hour,) in rows]
