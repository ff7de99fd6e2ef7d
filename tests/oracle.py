"""The oracle: what must be true of Kafka, Postgres and the live servers, whatever died on the way there.

It reads the whole log of `flight.reports` and judges it once more, by the same pure function, in one go. What the
trackers made of it, one after the other and killed in between, must be that.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from confluent_kafka import Message

from flight_platform.codec import decode_for_tracking, stamp_flight_id
from flight_platform.errors import InvalidIdentifierError
from flight_platform.kafka import headers_of, partition_of
from flight_platform.live.client import LiveReader
from flight_platform.model import address_of, icao24_of, parse_flight_id
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, Header, Reason, Stage
from flight_platform.settings import Settings
from streaming.tracker_state import Arrival, report_of
from streaming.tracking import Aircraft, Outcome
from tests.processes import log_ends, records

Place = tuple[int, int]  # partition and offset
Positions = set[tuple[str, int, int]]  # address, Unix milliseconds, flight id


@dataclass(slots=True)
class Judged:
    """What one undisturbed tracker makes of a log: what it passes of each aircraft, in order, and what it refuses.

    A repeat is told by what the tracker remembers, and a new one remembers less: it may pass what the old one would
    have dropped, under the same flight id. So repeats are among `passed`, and may be absent. And the clock refuses what
    is held for long: what repeats it afterwards may be refused once more (`held_again`).
    """

    passed: dict[int, list[tuple[bytes, bool]]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[Place, Reason] = field(default_factory=dict)
    held_again: set[Place] = field(default_factory=set)
    misplaced: int = 0


def judge(log: list[Message], settled_ms: int, partitions: int) -> Judged:
    """Judges records of `flight.reports` in the order in which Kafka took them.

    The topic has had that many partitions since then. What has come into the wrong one of them is not judged there: the
    tracker puts it into the right one, where it stands in the log once more.
    """
    judged = Judged()
    known: dict[str, Aircraft] = {}
    rows = decode_for_tracking([message.value() or b"" for message in log])
    for message, row in zip(log, rows, strict=True):
        place = (message.partition() or 0, message.offset() or 0)
        if row is None:
            judged.refused[place] = Reason.UNDECODABLE
            continue
        if message.timestamp()[1] >= settled_ms and _is_misplaced(row[0], place[0], partitions):
            judged.misplaced += 1
            continue
        try:
            aircraft = known.get(row[0]) or known.setdefault(row[0], Aircraft(address_of(row[0])))
        except InvalidIdentifierError:
            judged.refused[place] = Reason.OUT_OF_RANGE
            continue
        # The offset of an arrival is a number: it carries the partition too.
        arrival = Arrival(message.value() or b"", place[1] << 16 | place[0], message.timestamp()[1])
        if row[1:4] in (held[:3] for held in aircraft.held):
            judged.held_again.add(place)
        for verdict in aircraft.judge(report_of(row, arrival)):
            payload: Arrival = verdict.report.payload
            if verdict.outcome is Outcome.PASSED:
                judged.passed[aircraft.address].append((stamp_flight_id(payload.data, verdict.flight_id), True))
            elif verdict.outcome is Outcome.REFUSED:
                judged.refused[payload.offset & 0xFFFF, payload.offset >> 16] = Reason.IMPLAUSIBLE
            else:
                judged.passed[aircraft.address].append((payload.data, False))
    assert not any(aircraft.held for aircraft in known.values()), "all is judged"
    return judged


def _is_misplaced(icao24: str, partition: int, partitions: int) -> bool:
    with suppress(InvalidIdentifierError):
        address_of(icao24)
        return partition_of(icao24, partitions) != partition
    return False


def in_order(messages: Iterable[Message]) -> list[Message]:
    """Records of several partitions in the order in which Kafka took them: topics that grow move an aircraft."""
    return sorted(messages, key=lambda m: (m.timestamp()[1], m.partition() or 0, m.offset() or 0))


@dataclass(frozen=True, slots=True)
class Found:
    """What is committed in Kafka."""

    reports: list[Message]
    positions: list[Message]
    letters: list[Message]


def read(settings: Settings) -> Found:
    """All that is committed now."""
    return Found(*(records(settings, topic) for topic in (TOPIC_REPORTS, TOPIC_POSITIONS, TOPIC_DEAD_LETTERS)))


def check_that_each_report_was_judged_once(kept: Found, settled_ms: int, partitions: int) -> None:
    """Every record of `flight.reports` has one verdict, the right one, in its place.

    The topics have had that many partitions since `settled_ms`.
    """
    judged = judge(in_order(kept.reports), settled_ms, partitions)
    found: dict[int, list[bytes]] = defaultdict(list)
    for message in in_order(kept.positions):
        found[parse_flight_id((message.key() or b"").decode()) >> 32].append(message.value() or b"")
    _same(found.keys(), judged.passed.keys(), "aircraft with positions")
    for address, values in found.items():
        _check_aircraft(icao24_of(address), judged.passed[address], values)
    letters = [headers_of(message) for message in kept.letters]
    refused = [
        ((int(head[Header.PARTITION]), int(head[Header.OFFSET])), Reason(head[Header.REASON]))
        for head in letters
        if head[Header.STAGE] == Stage.TRACK
    ]
    assert len(refused) == len(dict(refused)), "no report is refused twice"
    again = {(place, reason) for place, reason in refused if place in judged.held_again}
    assert {reason for _, reason in again} <= {Reason.IMPLAUSIBLE}
    _same(set(refused) - again, set(judged.refused.items()) - again, "refused reports")


def _same(found: Set[Any], expected: Set[Any], what: str) -> None:
    """Equal or a short complaint: pytest's own would list a hundred thousand."""
    missing, strange = expected - found, found - expected
    assert not missing, f"{len(missing)} {what} are missing: {sorted(missing)[:5]}"
    assert not strange, f"{len(strange)} {what} should not be: {sorted(strange)[:5]}"


def _check_aircraft(icao24: str, expected: list[tuple[bytes, bool]], found: list[bytes]) -> None:
    at = 0
    for value, certain in expected:
        matches = at < len(found) and (found[at] == value if certain else found[at].startswith(value))
        assert matches or not certain, f"{icao24}: position {at} of {len(found)} is not what the log gives"
        at += matches
    assert at == len(found), f"{icao24}: {len(found) - at} positions come of no report"


def check_what_the_feed_refused(kept: Found, originals: set[bytes]) -> None:
    """The feed has refused these; more than once where it died, since it begins its recording anew."""
    refused = {m.value() or b"" for m in kept.letters if headers_of(m)[Header.STAGE] == Stage.FEED}
    _same(refused, originals, "originals that the feed refused")


def positions_in_history(url: str) -> list[tuple[str, int, int]]:
    """Address, time and flight id of every row."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT flight_id, round(extract(epoch FROM time) * 1000)::bigint FROM history.positions"
        ).fetchall()
    return [(icao24_of(flight_id >> 32), time_ms, flight_id) for flight_id, time_ms in rows]


def check_history(settings: Settings, expected: Positions) -> None:
    """Every position is there, once."""
    found = positions_in_history(settings.postgres_url.get_secret_value())
    assert len(found) == len(set(found)), f"{len(found) - len(set(found))} positions are there twice"
    _same(set(found), expected, "positions")


def check_ledger(settings: Settings, kept: Found, rows: int) -> None:
    """The ranges of each partition tile from its first offset to its end; the counts add up to what Kafka holds."""
    with psycopg.connect(settings.postgres_url.get_secret_value()) as connection:
        ledger = connection.execute(
            "SELECT kafka_partition, from_offset, to_offset, records, rows, repeats + quarantined + withheld"
            " FROM ops.ledger WHERE topic = %s ORDER BY kafka_partition, from_offset",
            [settings.topic(TOPIC_POSITIONS)],
        ).fetchall()
    passed: dict[int, list[int]] = defaultdict(list)
    for message in kept.positions:
        passed[message.partition() or 0].append(message.offset() or 0)
    reached: Counter[int] = Counter()
    counted: Counter[int] = Counter()
    for partition, start, end, batch, written, other in ledger:
        assert start == reached[partition], f"partition {partition}: the ranges tile"
        assert written + other == batch, f"partition {partition}: {start} to {end} adds up"
        reached[partition] = end
        counted[partition] += batch
    assert counted == {n: len(offsets) for n, offsets in passed.items()}, "the ledger counts what Kafka holds"
    ends = log_ends(settings, TOPIC_POSITIONS)
    for partition, offsets in passed.items():  # behind the last record stand markers of transactions alone
        assert offsets[-1] < reached[partition] <= ends[partition], f"partition {partition}: the ranges reach the end"
    assert sum(row[4] for row in ledger) == rows, "the ledger counts the rows"


def check_live(settings: Settings, expected: Positions) -> None:
    """The live servers show the newest position of each flight."""
    _same(in_live(settings).items(), newest(expected).items(), "flights on the live server")


def newest(expected: Positions) -> dict[int, int]:
    """The time of the newest position of each flight."""
    times: dict[int, int] = {}
    for _icao24, time_ms, flight_id in expected:
        times[flight_id] = max(time_ms, times.get(flight_id, 0))
    return times


def in_live(settings: Settings) -> dict[int, int]:
    """The time of each flight's position on the live servers."""

    async def read() -> dict[int, int]:
        reader = LiveReader(settings)
        try:
            answer = await reader.all()
        finally:
            await reader.close()
        return {position.flight_id or 0: position.time for position in answer.positions}

    return asyncio.run(read())


def lag(settings: Settings) -> dict[str, int]:
    """What the heartbeats of track, live and history say waits for each; nothing of one that has not beaten lately, and
    of none where Postgres does not answer."""
    try:
        with psycopg.connect(settings.postgres_url.get_secret_value(), connect_timeout=2) as connection:
            return dict(
                connection.execute(
                    "SELECT stage, sum(lag_records)::bigint FROM ops.heartbeats"
                    " WHERE stage IN ('track', 'live', 'history') AND beat_at > clock_timestamp() - interval '3 s'"
                    " GROUP BY stage"
                ).fetchall()
            )
    except psycopg.OperationalError:
        return {}


def rows_booked(settings: Settings) -> int:
    """How many rows the ledger says that history has."""
    with psycopg.connect(settings.postgres_url.get_secret_value()) as connection:
        row = connection.execute("SELECT coalesce(sum(rows), 0) FROM ops.ledger").fetchone()
    assert row is not None
    return int(row[0])
