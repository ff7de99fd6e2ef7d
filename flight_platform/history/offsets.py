"""Where history stands in Kafka: offsets that live in Postgres and move with the rows, fenced.

The fence: an offset moves only from where its owner believes it to be. A process whose partitions went to another one
finds them elsewhere, and its whole transaction is undone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import structlog

from flight_platform.errors import FencedError, FlightError
from flight_platform.history.sql import query

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one partition: from the first offset to the one after the last, whether records or markers."""

    start: int
    stop: int


class LogMismatchError(FlightError):
    """Kafka's log ends before the offset up to which history is written: it is not the log that history knows."""


def start_offsets(connection: psycopg.Connection, topic: str, logs: Mapping[int, Span]) -> dict[int, int]:
    """The offset from which to read each partition of `logs` (its span in Kafka now).

    A partition that history does not know starts at its first offset. One whose next records have expired goes on at
    the first that is left, and leaves a row in `ops.gaps`.
    """
    with connection.transaction():
        found: dict[int, int] = dict(
            connection.execute(
                query("offsets_start"),
                {"topic": topic, "partitions": list(logs), "first_offsets": [span.start for span in logs.values()]},
            ).fetchall()
        )
        for partition, span in logs.items():
            if partition not in found:
                raise FencedError(f"the offset of {topic}/{partition} was written at this very moment: read it again")
            if found[partition] > span.stop:
                raise LogMismatchError(
                    f"{topic}/{partition} ends at offset {span.stop} in Kafka, but history is written up to "
                    f"{found[partition]}: the topic was made anew. Give it another FLIGHT_KAFKA_TOPIC_PREFIX, or "
                    "delete its rows from ops.offsets and ops.ledger"
                )
            if found[partition] < span.start:
                log.error("records_expired_unread", partition=partition, first=found[partition], until=span.start)
                connection.execute(
                    query("offsets_skip_expired"), {"topic": topic, "partition": partition, "first_offset": span.start}
                )
                found[partition] = span.start
    return found


def move_offsets(connection: psycopg.Connection, topic: str, spans: Mapping[int, Span]) -> None:
    """Moves the offset of each partition over its span; raises FencedError where one of them stands elsewhere."""
    moved = connection.execute(
        query("offsets_move"),
        {
            "topic": topic,
            "partitions": list(spans),
            "from_offsets": [span.start for span in spans.values()],
            "to_offsets": [span.stop for span in spans.values()],
        },
    ).rowcount
    if moved != len(spans):
        raise FencedError(
            f"{len(spans) - moved} of {len(spans)} partitions of {topic} are not where this process left them"
        )
