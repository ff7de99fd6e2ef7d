"""Puts reports into a database the way the platform does."""

from collections.abc import Sequence

import numpy as np
import psycopg

from flight_platform.codec import encode
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.writer import Batch, Writer, Written
from flight_platform.kafka import now_ms
from flight_platform.model import Position

TOPIC = "flight.positions"


def batch_of(values: Sequence[bytes], *, start: int = 0, partition: int = 0) -> Batch:
    """Consecutive records of one partition."""
    size = len(values)
    return Batch(
        topic=TOPIC,
        spans={partition: Span(start=start, stop=start + size)},
        values=values,
        partitions=np.full(size, partition, dtype="i8"),
        offsets=np.arange(start, start + size, dtype="i8"),
    )


def fill(connection: psycopg.Connection, positions: Sequence[Position]) -> Written:
    """Writes them as the next records of partition 0."""
    start = start_offsets(connection, TOPIC, {0: Span(start=0, stop=1 << 40)})[0]
    return Writer(connection, now_ms).write(batch_of([encode(position) for position in positions], start=start))
