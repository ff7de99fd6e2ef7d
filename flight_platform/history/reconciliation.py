"""Is an hour whole? Independent books about the same rows, held against each other.

    what Kafka took ── progress.py: all of it is judged and stored, up to a moment
    the ledger      ── ranges of offsets tile; each batch says how many rows it gave to which hour
    the hours       ── hold as many rows as they were given, less what was erased on purpose
    the archive     ── holds what the chunks held, by rows and checksum
    the gaps        ── what never came to Kafka, as far as anybody noticed

`docs/quality.md` has the argument in full. A fault is a contradiction between books: something is broken. What is
missing is known to be so: not read yet, or lost for good. Nothing is mended here. Live against history is in
`live_history.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from flight_platform.history.partitions import CLOSING, HOUR, start_of_hour
from flight_platform.history.progress import Progress
from flight_platform.history.sql import query


class Fault(NamedTuple):
    """A contradiction: what should be true, in words that do not change, and what is seen instead."""

    rule: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the books say of one hour. It is complete where they contradict nowhere and nothing is missing."""

    hour: datetime
    rows: int  # that it holds
    counted: int | None  # that it was given, less those erased; None where no count was kept
    as_of: datetime | None  # every report that Kafka took before is judged and stored
    faults: tuple[Fault, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether all that Kafka had taken until `as_of` is there, once each, and no loss before Kafka is known."""
        return not self.faults and not self.missing


def walk_ledger(connection: psycopg.Connection[Any], topic: str) -> None:
    """Looks at the part of the ledger that is new since the last walk; what does not tile goes to ops.ledger_faults."""
    with connection.transaction():
        connection.execute(query("ledger_walk"), {"topic": topic})


def prove_hours(
    connection: psycopg.Connection[Any], topic: str, hours: Sequence[datetime], progress: Progress
) -> list[Proof]:
    """The proofs of these hours, each also recorded. `topic` is the full name of the positions' topic."""
    walk_ledger(connection, topic)
    return [_prove(connection, topic, start_of_hour(hour), progress) for hour in hours]


def record_erased(connection: psycopg.Connection[Any], hour: datetime, rows: int) -> None:
    """Books rows that somebody erases from an hour on purpose; call it in the transaction that erases them."""
    if rows:
        connection.execute(query("hour_erased"), {"hour": start_of_hour(hour), "rows": rows})


def stored_rows(connection: psycopg.Connection[Any], hour: datetime) -> int:
    """Positions of an hour as analysts see them: raw and chunks alike."""
    parameters = {"from_time": hour, "to_time": hour + HOUR}
    row = connection.execute(query("hours_rows"), parameters, prepare=False).fetchone()
    return int(row[0]) if row else 0


def was_heard(connection: psycopg.Connection[Any], hour: datetime) -> bool:
    """Whether somebody is known to have listened through all of an hour."""
    row = connection.execute(query("hours_listened"), {"hour": hour}).fetchone()
    return bool(row and row[0])


def _prove(connection: psycopg.Connection[Any], topic: str, hour: datetime, progress: Progress) -> Proof:
    # One snapshot: a batch that commits between two statements would look like a contradiction.
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        parameters = {"hour": hour, "topic": topic, "lateness": CLOSING}
        facts: dict[str, Any] = cursor.execute(query("proof_facts"), parameters).fetchone() or {}
        # What was dropped from the database is in the archive; what came later still is here.
        rows = stored_rows(connection, hour) + int(facts["archived_rows"] or 0)
    proof = _conclude(hour, rows, facts, progress, listened=was_heard(connection, hour))
    parameters = {
        "hour": hour,
        "complete": proof.complete,
        "as_of": proof.as_of,
        "rows": rows,
        "counted": proof.counted,
        "missing": [*(fault.seen for fault in proof.faults), *proof.missing],
    }
    connection.execute(query("proofs_record"), parameters)
    return proof


def _conclude(hour: datetime, rows: int, facts: dict[str, Any], progress: Progress, *, listened: bool) -> Proof:
    counted = None if facts["counted"] is None and rows else int(facts["counted"] or 0) - int(facts["erased"])
    faults = [Fault("the ledger tiles", seen) for seen in facts["faults"]]
    faults += [Fault("the chunks hold what compaction wrote", seen) for seen in facts["unequal"]]
    faults += [Fault("the archive holds what the chunks held", seen) for seen in facts["unlike_archive"]]
    missing = list(facts["gaps"])
    if counted is None:
        missing.append(f"no count was kept of its {rows} rows: they were not written by the history consumer")
    elif counted != rows:
        faults.append(Fault("the hour holds what it was given", f"it holds {rows} rows and was given {counted}"))
    if not rows and not listened:
        missing.append("it has no rows, and nobody is known to have listened")
    if facts["quarantined"]:
        missing.append(f"{facts['quarantined']} records of that time are in ops.quarantine")
    if progress.until is None:
        missing.append(progress.problem)
    elif progress.until < hour + HOUR + CLOSING:
        missing.append(f"Kafka is read up to {progress.until:%Y-%m-%d %H:%M:%S} UTC only")
    return Proof(
        hour=hour.astimezone(UTC),
        rows=rows,
        counted=counted,
        as_of=progress.until,
        faults=tuple(faults),
        missing=tuple(missing),
    )
