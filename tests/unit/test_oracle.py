"""The oracle of the acceptance suite sees each kind of lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from flight_platform.codec import decode, encode, stamp_flight_id
from flight_platform.kafka import encode_headers
from flight_platform.model import Position, format_flight_id, parse_flight_id
from flight_platform.names import Header, Reason, Stage
from tests import oracle

TIME_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Record:
    """As much of a Kafka message as the oracle reads."""

    at: int
    data: bytes
    name: str = ""
    head: Any = None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 2, TIME_MS + self.at

    def value(self) -> bytes:
        return self.data

    def key(self) -> bytes:
        return self.name.encode()

    def headers(self) -> Any:
        return self.head


def letter(offset: int, reason: Reason) -> Record:
    text = {Header.STAGE: Stage.TRACK, Header.PARTITION: "0", Header.OFFSET: str(offset), Header.REASON: reason}
    return Record(offset, b"", head=encode_headers(text))


def found() -> oracle.Found:
    """Two aircraft, a repeat that the tracker dropped, another that it passed, and a record that is no report."""
    flown = [
        Position(icao24=icao24, time=TIME_MS + s * 1000, received_at=TIME_MS, latitude=47 + s * 0.002, longitude=8.5)
        for s in range(5)
        for icao24 in ("4b1812", "4b1813")
    ]
    log = [*flown[:3], flown[2], *flown[3:], flown[0]]
    reports = [Record(at, encode(report)) for at, report in enumerate(log)] + [Record(len(log), b"\xff")]
    ids = {"4b1812": "4b1812-6553f100", "4b1813": "4b1813-6553f100"}
    passed = [*flown, flown[0]]
    positions = [
        Record(at, stamp_flight_id(encode(p), parse_flight_id(ids[p.icao24])), ids[p.icao24])
        for at, p in enumerate(passed)
    ]
    letters = [letter(len(log), Reason.UNDECODABLE)]
    return oracle.Found(*(cast(Any, part) for part in (reports, positions, letters)))


def check(kept: oracle.Found) -> None:
    oracle.check_that_each_report_was_judged_once(kept, 0, 1)


def test_the_truth_passes() -> None:
    check(found())


def other_flight(record: Any) -> Record:
    flight_id = parse_flight_id(record.name) + 1
    value = stamp_flight_id(encode(decode(record.data)), flight_id)
    return Record(record.at, value, format_flight_id(flight_id))


LIES: dict[str, Callable[[Any], object]] = {
    "lost": lambda kept: kept.positions.pop(4),
    "twice": lambda kept: kept.positions.append(Record(99, kept.positions[6].data, kept.positions[6].name)),
    "out of order": lambda kept: kept.positions.append(Record(99, kept.positions[2].data, kept.positions.pop(2).name)),
    "another flight": lambda kept: kept.positions.append(other_flight(kept.positions.pop(9))),
    "of no report": lambda kept: kept.positions.append(Record(99, b"", "4b1819-6553f100")),
    "not refused": lambda kept: kept.letters.clear(),
    "refused twice": lambda kept: kept.letters.append(kept.letters[0]),
    "wrongly refused": lambda kept: kept.letters.append(letter(3, Reason.IMPLAUSIBLE)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_does_not(lie: str) -> None:
    kept = found()
    LIES[lie](kept)
    with pytest.raises(AssertionError):
        check(kept)
