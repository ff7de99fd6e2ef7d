"""The tracker on a real Kafka: every report is judged once, whoever is killed."""

from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from flight_platform import kafka
from flight_platform.codec import decode, encode
from flight_platform.kafka import headers_of, partition_of
from flight_platform.model import Position, address_of, format_flight_id
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER, Header, Reason
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from flight_platform.watch import freshness
from flight_platform.watch.repeats import REPEATED
from streaming.feed import report_of
from streaming.tracking import Aircraft, Outcome
from tests.processes import new_settings, records, send_reports, stage

pytestmark = pytest.mark.integration
START_MS = 1_700_000_000_000


def traffic(aircraft: int, reports: int, *, first: int = 0, step_ms: int = 1000) -> list[Position]:
    """Aircraft that fly north side by side, one report each second, in the order of time."""
    return [
        Position(
            icao24=f"{0x400000 + number:06x}",
            time=START_MS + second * step_ms,
            received_at=START_MS + second * step_ms + 50,
            latitude=40 + second * 0.002,
            longitude=number * 0.1,
            altitude_ft=35_000,
            ground_speed_kt=430.0,
            callsign=f"TST{number}",
            source="test",
        )
        for second in range(first, first + reports)
        for number in range(aircraft)
    ]


def expected_ids(positions: list[Position]) -> set[tuple[str, int, int]]:
    """What an undisturbed tracker passes: address, time and flight id."""
    known: dict[str, Aircraft] = {}
    passed = set()
    for position in positions:
        aircraft = known.setdefault(position.icao24, Aircraft(address_of(position.icao24)))
        for verdict in aircraft.judge(report_of(position)):
            if verdict.outcome is Outcome.PASSED:
                passed.add((verdict.report.payload.icao24, verdict.report.time, verdict.flight_id))
    return passed


def tracked(settings: Settings) -> list[Position]:
    return [decode(message.value() or b"") for message in records(settings, TOPIC_POSITIONS)]


def watermarks_of(hop: str, database: DatabaseUrls) -> Mapping[str, float]:
    with psycopg.connect(database["postgres_url"], autocommit=True) as connection:
        return freshness.see(connection)[1][hop].watermarks


def repeats_of(source: str, database: DatabaseUrls) -> int:
    with psycopg.connect(database["postgres_url"], autocommit=True) as connection:
        return freshness.see(connection)[1]["track"].counters.get(REPEATED + source, 0)


def ids(positions: list[Position]) -> set[tuple[str, int, int]]:
    return {(p.icao24, p.time, p.flight_id or 0) for p in positions}


def test_reports_become_positions_in_their_partition(
    kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    sent = traffic(20, 30)
    with stage("track", settings, tmp_path) as tracker:
        send_reports(settings, sent)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent), 60, "all positions")
        newest_s = sent[-1].time / 1000
        wait_until(lambda: watermarks_of("track", database) == {"test": newest_s}, 60, "the watermark of the source")
        send_reports(settings, sent[-20:])
        wait_until(lambda: repeats_of("test", database) == 20, 60, "what was there before")
        assert tracker.terminate() == 0
    messages = records(settings, TOPIC_POSITIONS)
    assert ids([decode(m.value() or b"") for m in messages]) == expected_ids(sent)
    for message in messages:
        position = decode(message.value() or b"")
        assert message.key() == format_flight_id(position.flight_id or 0).encode()
        assert message.partition() == partition_of(position.icao24, settings.kafka_partitions)
    states = {m.key() for m in records(settings, TOPIC_TRACKER)}
    assert states == {p.icao24.encode() for p in sent}


def test_fields_of_a_newer_writer_pass_through(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    newer = encode(traffic(1, 1)[0]) + bytes([0xFA, 0x7F, 3]) + b"new"  # field 2047, unknown to this version
    with stage("track", settings, tmp_path):
        producer = kafka.producer(settings)
        producer.produce(settings.topic(TOPIC_REPORTS), newer, "400000")
        producer.flush(10)
        wait_until(lambda: records(settings, TOPIC_POSITIONS), 60, "the position")
    passed = records(settings, TOPIC_POSITIONS)[0].value() or b""
    assert passed.startswith(newer)
    assert decode(passed).icao24 == "400000"


def test_refused_reports_are_dead_letters_with_their_place(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    run = traffic(1, 20)
    jump = Position(icao24=run[0].icao24, time=START_MS + 10_500, received_at=START_MS, latitude=-30.0, longitude=100.0)
    late_enough = [
        Position(icao24=p.icao24, time=p.time + 130_000, received_at=p.time, latitude=p.latitude, longitude=p.longitude)
        for p in run[-3:]
    ]
    with stage("track", settings, tmp_path):
        send_reports(settings, [*run[:11], jump, *run[11:]])
        producer = kafka.producer(settings)
        producer.produce(settings.topic(TOPIC_REPORTS), b"\xff\xfenot protobuf", run[0].icao24)
        stranger = Position(icao24="XYZ", time=START_MS, received_at=START_MS, latitude=1.0, longitude=1.0)
        producer.produce(settings.topic(TOPIC_REPORTS), encode(stranger), run[0].icao24)
        producer.flush(10)
        send_reports(settings, late_enough)
        wait_until(lambda: len(records(settings, TOPIC_DEAD_LETTERS)) >= 3, 60, "three dead letters")
    letters = {headers_of(m)[Header.REASON]: m for m in records(settings, TOPIC_DEAD_LETTERS)}
    assert set(letters) == {Reason.UNDECODABLE, Reason.OUT_OF_RANGE, Reason.IMPLAUSIBLE}
    assert letters[Reason.UNDECODABLE].value() == b"\xff\xfenot protobuf"
    assert decode(letters[Reason.IMPLAUSIBLE].value() or b"") == jump
    head = headers_of(letters[Reason.IMPLAUSIBLE])
    assert head[Header.TOPIC] == settings.topic(TOPIC_REPORTS)
    assert int(head[Header.OFFSET]) == 11


@pytest.mark.alone
def test_another_tracker_takes_over_within_15_seconds(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    sent = traffic(40, 30)
    with stage("track", settings, tmp_path) as first, stage("track", settings, tmp_path) as second:
        send_reports(settings, sent)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent), 60, "all positions")
        wait_until(lambda: min(first.said("assigned"), second.said("assigned")), 15, "both have partitions")
        more = traffic(40, 30, first=30)
        first.kill()
        killed_at = monotonic()
        send_reports(settings, more)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent + more), 60, "the rest")
        assert monotonic() - killed_at < 15
    assert ids(tracked(settings)) == expected_ids(sent + more)
    assert len(tracked(settings)) == len(sent + more)


def test_frozen_tracker_that_wakes_up_writes_nothing_twice(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    sent = traffic(40, 30)
    with stage("track", settings, tmp_path) as frozen:
        send_reports(settings, sent)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent), 60, "all positions")
        frozen.suspend()
        more = traffic(40, 30, first=30)
        send_reports(settings, more)
        with stage("track", settings, tmp_path):
            wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent + more), 60, "the rest")
            frozen.resume()
            last = traffic(40, 10, first=60)
            send_reports(settings, last)
            everything = sent + more + last
            wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(everything), 60, "all of it")
    assert len(tracked(settings)) == len(everything)
    assert ids(tracked(settings)) == expected_ids(everything)
