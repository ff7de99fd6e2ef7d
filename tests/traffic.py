"""A recording for faults: many aircraft at a steady rate, with all that goes wrong in one, and what a platform that
nothing disturbs makes of it.

In each part aircraft appear, vanish, land, take another name and fly on; reports come twice, out of order and from
where no aircraft could be; some lines are broken, some are 2 MB long. All follows from the numbers: no two runs differ.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flight_platform.codec import encode
from flight_platform.model import Position, address_of
from streaming.feed import report_of
from streaming.tracking import HOLD_MS, Aircraft, Outcome

AIRCRAFT: Final = 1_000  # in the air at any time
STEP_MS: Final = 3_000  # an aircraft reports so often
ROUNDS: Final = 30  # reports of each aircraft in a part
REPORTS_PER_S: Final = 5_000
SPEED: Final = REPORTS_PER_S / (AIRCRAFT / (STEP_MS / 1000))  # at which a part plays, times real time
PART_MS: Final = ROUNDS * STEP_MS
PART_S: Final = PART_MS / 1000 / SPEED  # that a part plays
LARGE: Final = 2_000_000  # bytes

_LIFE: Final = 125  # rounds until an aircraft vanishes and another takes its slot
_LANDS: Final = 60  # in this round of its life, every fifth
_JUMPS: Final = range(5, _LIFE - HOLD_MS // STEP_MS - 5)  # early enough to be judged before it vanishes
_NAMES: Final = (
    "icao24",
    "time",
    "latitude",
    "longitude",
    "altitude_ft",
    "on_ground",
    "ground_speed_kt",
    "callsign",
    "source",
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the recording: what the feed reads, and what comes past it into Kafka."""

    lines: Sequence[bytes]  # of a file; every report of `reports` and the `broken` ones
    reports: Sequence[Position]  # in the file's order
    broken: Sequence[bytes]  # lines that the feed must refuse
    direct: Sequence[tuple[str, bytes]]  # keys and values for `flight.reports`
    strangers: Sequence[Position]  # the reports among `direct`


def parts(count: int, start_ms: int) -> list[Part]:
    """So many parts, one after the other in time."""
    chance = random.Random(7)
    jumped: set[str] = set()
    last_jump = count * ROUNDS - HOLD_MS // STEP_MS - 5
    made = []
    for number in range(count):
        reports: list[Position] = []
        for round_ in range(number * ROUNDS, (number + 1) * ROUNDS):
            for slot in range(AIRCRAFT):
                report = _report(slot, round_, start_ms)
                reports.append(report)
                roll = chance.random()
                if roll < 0.01:
                    reports.append(report)
                elif roll < 0.015 and len(reports) > 3 * AIRCRAFT:
                    earlier = reports[-2 * AIRCRAFT]
                    reports.append(replace(earlier, time=earlier.time + 300))
                elif roll < 0.02 and round_ < last_jump and report.icao24 not in jumped and _may_jump(slot, round_):
                    jumped.add(report.icao24)  # once: three that agree with each other would be believed
                    reports.append(replace(report, time=report.time + 500, latitude=-report.latitude))
        made.append(_part(number, reports, chance))
    return made


def _may_jump(slot: int, round_: int) -> bool:
    return (slot + round_) % _LIFE in _JUMPS


def _report(slot: int, round_: int, start_ms: int) -> Position:
    life, age = divmod(slot + round_, _LIFE)
    lands = slot % 5 == 0
    on_ground = lands and _LANDS <= age < _LANDS + 4
    renamed = lands and age >= _LANDS + 2
    time_ms = start_ms + round_ * STEP_MS + slot
    return Position(
        icao24=f"{0x400000 + life * AIRCRAFT + slot:06x}",
        time=time_ms,
        received_at=time_ms + 200,
        latitude=round(40 + age * 0.006, 7),
        longitude=round(slot * 0.1, 7),
        altitude_ft=0 if on_ground else 35_000,
        on_ground=on_ground,
        ground_speed_kt=430.0,
        callsign=f"{'SEC' if renamed else 'FST'}{slot}",
        source="test",
    )


def _part(number: int, reports: list[Position], chance: random.Random) -> Part:
    lines = [json.dumps(_row(report)).encode() for report in reports]
    # A good report that is 2 MB long: what it says beside is nobody's business here.
    lines[100] = json.dumps(_row(reports[100]) | {"remark": "x" * LARGE}).encode()
    broken = [
        b'{"icao24": "4b1812", "time":',
        b"\xff\xfe not a report",
        b'{"icao24": "' + bytes(chance.choices(b"abcdef0123456789", k=LARGE)),
        json.dumps(_row(reports[0]) | {"latitude": 95.0}).encode(),
    ]
    for line in broken:
        lines.insert(chance.randrange(len(lines)), line)
    at = reports[-1]
    strangers = [
        replace(at, icao24=f"{0x700000 + 2 * number + which:06x}", callsign="STRANGER", longitude=-10.0 - which)
        for which in range(2)
    ]
    direct = [
        (strangers[0].icao24, encode(strangers[0])),
        (strangers[1].icao24, encode(strangers[1]) + _field_of_a_newer_writer(chance.randbytes(LARGE))),
        (at.icao24, b"\xff not a report"),
        (at.icao24, chance.randbytes(LARGE)),
        ("nobody", encode(replace(at, icao24="nobody"))),
    ]
    return Part(lines, reports, broken, direct, strangers)


def _row(report: Position) -> dict[str, object]:
    return {name: getattr(report, name) for name in _NAMES}


def _field_of_a_newer_writer(content: bytes) -> bytes:
    """Field 1000 of a protobuf message, which no version of ours knows."""
    tag, length = _varint(1000 << 3 | 2), _varint(len(content))
    return tag + length + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def undisturbed(reports: Sequence[Position]) -> set[tuple[str, int, int]]:
    """Address, time and flight id of each position that these reports give, each judged once and in this order."""
    known: dict[str, Aircraft] = {}
    positions = set()
    for report in reports:
        aircraft = known.setdefault(report.icao24, Aircraft(address_of(report.icao24)))
        for verdict in aircraft.judge(report_of(report)):
            if verdict.outcome is Outcome.PASSED:
                positions.add((verdict.report.payload.icao24, verdict.report.time, verdict.flight_id))
    assert not any(aircraft.held for aircraft in known.values()), "every jump is judged before the end"
    return positions


def in_order(made: Sequence[Part]) -> Iterator[Position]:
    """All reports of these parts as an undisturbed platform gets them."""
    for part in made:
        yield from part.strangers
        yield from part.reports
