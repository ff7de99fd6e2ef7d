"""Topics that grow on a real Kafka: every aircraft keeps its flight, whoever is killed on the way."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

from flight_platform import kafka
from flight_platform.codec import decode, encode
from flight_platform.kafka import headers_of, partition_of
from flight_platform.layout import read_layout
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, Header
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from streaming import growing
from streaming.growing import GrowthError, grow
from tests.integration.streaming.test_track import expected_ids, ids, tracked, traffic
from tests.processes import CHECKOUT, new_settings, records, send_reports, stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.alone]

PATIENCE_S = 60

# A growth that kills itself as it begins a step, or with half of a transaction sent.
DOOMED = """
import os, signal, sys
from contextlib import contextmanager
from flight_platform.settings import Settings
from streaming import growing, tracker_move

growing.LEASE_S = growing.LOOK_S = 0.2
where, sent = sys.argv[1], 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Progress:
    @contextmanager
    def step(self, text):
        if where in text:
            die()
        yield

    def note(self, text): ...

def produce(*words, really=tracker_move._produce):
    global sent
    sent += 1
    if where == "amid the transaction" and sent > 20:
        die()
    really(*words)

tracker_move._produce = produce
growing.grow(Settings.read(), 6, Progress())
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No feed runs here that one would have to wait for."""
    monkeypatch.setattr(growing, "LEASE_S", 0.2)


def wait_for_positions(settings: Settings, count: int) -> None:
    wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= count, PATIENCE_S, f"{count} positions")


def killed_at(where: str, settings: Settings) -> None:
    environment = os.environ | settings.environment()
    died = subprocess.run(
        [sys.executable, "-c", DOOMED, where], env=environment, cwd=CHECKOUT, check=False, timeout=PATIENCE_S
    )
    assert died.returncode == -9, f"it came to its end and was to die at {where!r}"


def test_every_aircraft_keeps_its_flight_however_often_a_growth_is_killed(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, kafka_partitions=4)
    sent, more = traffic(100, 30), traffic(100, 30, first=30)
    with stage("track", settings, tmp_path), stage("track", settings, tmp_path):
        send_reports(settings, sent)
        for where in (
            "judge",
            "stand by",
            "believed",
            "amid the transaction",
            "flight.positions",
            "come back",
            "go on",
        ):
            killed_at(where, settings)
            assert read_layout(kafka.admin(settings), settings).target == 6, "feeds hold all the while"
        grown = grow(settings, 6)
        assert (grown.partitions, grown.moved) == (6, 0), "what was done is not done again"
        send_reports(settings, more)
        wait_for_positions(settings, len(sent + more))
    assert len(tracked(settings)) == len(sent + more)
    assert ids(tracked(settings)) == expected_ids(sent + more)
    for message in records(settings, TOPIC_POSITIONS):
        position = decode(message.value() or b"")
        now = 6 if position.time >= more[0].time else 4
        assert message.partition() == partition_of(position.icao24, now)


def test_what_is_held_moves_too(kafka_bootstrap: str, tmp_path: Path) -> None:
    """A jump that nobody has judged yet is refused once, with the place where it stands."""
    settings = new_settings(kafka_bootstrap, kafka_partitions=1)
    sent = traffic(20, 20)
    jumps = [replace(report, time=report.time + 500, latitude=-30.0) for report in sent[-20:]]
    late_enough = [replace(report, time=report.time + 130_000) for report in sent[-20:]]
    with stage("track", settings, tmp_path):
        send_reports(settings, sent + jumps)
        wait_for_positions(settings, len(sent))
        grow(settings, 3)
        send_reports(settings, late_enough)
        wait_for_positions(settings, len(sent + late_enough))
        wait_until(lambda: len(records(settings, TOPIC_DEAD_LETTERS)) >= len(jumps), PATIENCE_S, "the jumps refused")
    assert ids(tracked(settings)) == expected_ids(sent + late_enough)
    assert len(tracked(settings)) == len(sent + late_enough)
    places = [(message.partition(), message.offset()) for message in records(settings, TOPIC_REPORTS)[len(sent) :]]
    letters = [headers_of(message) for message in records(settings, TOPIC_DEAD_LETTERS)]
    assert len(letters) == len(jumps)
    assert {(int(head[Header.PARTITION]), int(head[Header.OFFSET])) for head in letters} <= set(places)
    assert {head[Header.PARTITION] for head in letters} == {"0"}, "where they stand, not where they were judged"


def test_a_topic_that_was_altered_by_hand_harms_nothing(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, kafka_partitions=4)
    sent, more = traffic(50, 20), traffic(50, 20, first=20)
    with stage("track", settings, tmp_path) as tracker:
        send_reports(settings, sent)
        wait_for_positions(settings, len(sent))
        admin = kafka.admin(settings)
        for done in admin.create_partitions([NewPartitions(settings.topic(TOPIC_REPORTS), 6)]).values():
            done.result()
        wait_until(lambda: tracker.said("standing_by"), PATIENCE_S, "the tracker sees it and stands by")
        send_reports(settings, more[: len(more) // 2])
        assert grow(settings, 6).moved > 20
        send_reports(settings, more[len(more) // 2 :])
        wait_for_positions(settings, len(sent + more))
    assert len(tracked(settings)) == len(sent + more)
    assert ids(tracked(settings)) == expected_ids(sent + more)


def test_a_report_in_another_aircrafts_partition_goes_to_its_own(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, kafka_partitions=4)
    sent = traffic(20, 10)
    with stage("track", settings, tmp_path) as tracker:
        producer = kafka.producer(settings)
        for report in sent:
            producer.produce(settings.topic(TOPIC_REPORTS), encode(report), partition=3)
        assert producer.flush(30) == 0
        wait_for_positions(settings, len(sent))
        assert tracker.terminate() == 0
    assert len(tracked(settings)) == len(sent)
    assert ids(tracked(settings)) == expected_ids(sent)
    for message in records(settings, TOPIC_POSITIONS):
        assert message.partition() == partition_of(decode(message.value() or b"").icao24, 4)


def test_a_growth_that_cannot_be_lets_the_feeds_go_on(kafka_bootstrap: str) -> None:
    """Nobody judges: it says so, and undoes the hold."""
    settings = new_settings(kafka_bootstrap, kafka_partitions=2)
    send_reports(settings, traffic(5, 5))
    with pytest.raises(GrowthError, match=r"25 records of flight.reports wait for track.*feeds go on"):
        grow(settings, 4, patience_s=1)
    layout = read_layout(kafka.admin(settings), settings)
    assert (layout.reports, layout.settled) == (2, True)
