"""An aircraft out of Postgres: raw positions, chunks, flights, statistics, samples of verdicts, quarantine.

    hour by hour:  the hour's lock ─► raw and chunks deleted ─► ops.hours and ops.hour_erasures tell of what is left
    at the end:    flights, who was there in which hour, samples of what was wrong, quarantined records

An hour is one transaction under the lock that compaction and writers take, so nothing slips from raw into chunks, and
the proofs of completeness hold before and after: a row that was erased on purpose is booked as that. Counts by hour,
day and cell stay: they name nobody. Repeating finds nothing more.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import psycopg

from flight_platform.codec import decode
from flight_platform.errors import UndecodableError
from flight_platform.history.checksums import added, checksum
from flight_platform.history.reading import read_chunks
from flight_platform.history.reconciliation import record_erased
from flight_platform.history.sql import query
from flight_platform.privacy.target import Span, Target

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an hour lost."""

    hour: datetime
    raw: int
    chunk_rows: int


def flights_under(connection: Connection, callsign: str) -> list[int]:
    """The flights that ever told the callsign, however they are stored."""
    return [flight for (flight,) in connection.execute(query("erase_flights_under"), {"callsign": callsign})]


def erase_positions(connection: Connection, spans: list[Span]) -> Iterator[Erased]:
    """Erases hour by hour, each in a transaction of its own, until no hour has any. The connection must be idle."""
    bounds = {"first": [first for first, _ in spans], "last": [last for _, last in spans]}
    while found := connection.execute(query("erase_find"), bounds).fetchall():
        for hour, group in groupby(found, key=lambda row: row[0]):
            yield _erase_hour(connection, hour.astimezone(UTC), [(first, last) for _, first, last in group])


def _erase_hour(connection: Connection, hour: datetime, spans: list[Span]) -> Erased:
    raw = chunks = chunk_rows = checksums = 0
    with connection.transaction():
        connection.execute(query("compaction_hold"), {"hour": hour})
        for first, last in spans:
            bounds = {"hour": hour, "first": first, "last": last}
            raw += connection.execute(query("erase_raw"), bounds).rowcount
            gone = read_chunks(connection, hour, (first, last))
            chunk_rows += len(gone)
            checksums = added(checksums, checksum(gone))
            chunks += connection.execute(query("erase_chunks"), bounds).rowcount
        _tell_what_is_left(connection, hour, raw=raw, chunks=chunks, chunk_rows=chunk_rows, checksums=checksums)
    return Erased(hour=hour, raw=raw, chunk_rows=chunk_rows)


def _tell_what_is_left(
    connection: Connection, hour: datetime, *, raw: int, chunks: int, chunk_rows: int, checksums: int
) -> None:
    record_erased(connection, hour, raw + chunk_rows)
    found = connection.execute(query("erase_begin"), {"hour": hour}).fetchone() if chunk_rows else None
    if found is not None:
        of_chunks, archived = found
        connection.execute(
            query("erase_record"),
            {
                "hour": hour,
                "chunks": chunks,
                "rows": chunk_rows,
                "checksum": added(of_chunks, -checksums),
                # The archive loses them too: so it still tells whether the archive has all that is in chunks.
                "archived": None if archived is None else added(archived, -checksums),
            },
        )


def erase_derived(connection: Connection, target: Target, spans: list[Span]) -> Counter[str]:
    """Erases what was made of the positions, and what of them was set aside; how many rows of each."""
    bounds = {"first": [first for first, _ in spans], "last": [last for _, last in spans]}
    counts: Counter[str] = Counter()
    with connection.transaction():
        connection.execute(query("flights_lock"))  # or one who derives now would write what it read before
        counts["flights"] = connection.execute(query("erase_flights"), bounds).rowcount
    with connection.transaction():
        connection.execute(query("statistics_lock"))
        counts["statistics"] = connection.execute(query("erase_statistics"), bounds).rowcount
    counts["samples"] = connection.execute(query("erase_verdicts"), {**bounds, "callsign": target.callsign}).rowcount
    places = list(_quarantined(connection, target))
    for place in places:
        connection.execute(query("erase_quarantined"), place)
    counts["quarantine"] = len(places)
    return counts


def _quarantined(connection: Connection, target: Target) -> Iterator[tuple[str, int, int]]:
    """Where records about it were set aside. What cannot be decoded tells of nobody."""
    rows = connection.execute("SELECT topic, kafka_partition, kafka_offset, record FROM ops.quarantine").fetchall()
    for topic, partition, offset, record in rows:
        try:
            if target.names(decode(record)):
                yield topic, partition, offset
        except UndecodableError:
            continue
