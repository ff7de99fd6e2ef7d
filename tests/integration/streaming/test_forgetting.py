"""A tracker forgets an aircraft: what it believes, what it holds and what it kept, and nothing of anybody else."""

from pathlib import Path

import pytest

from flight_platform import kafka
from flight_platform.codec import decode
from flight_platform.errors import ServerUnavailableError
from flight_platform.model import Position
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER
from flight_platform.privacy.tracking import tell_trackers_to_forget
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from tests.processes import new_settings, records, send_reports, stage

pytestmark = pytest.mark.integration

START_MS = 1_700_000_000_000
FORGOTTEN, OTHER = "400001", "400002"


def reports(icao24: str, *seconds: int, latitude: float = 40.0) -> list[Position]:
    return [
        Position(
            icao24=icao24,
            time=START_MS + second * 1000,
            received_at=START_MS + second * 1000,
            latitude=latitude + second * 0.002,
            longitude=1.0,
            ground_speed_kt=430.0,
            source="test",
        )
        for second in seconds
    ]


def kept(settings: Settings) -> dict[str, bytes | None]:
    """The newest state of each aircraft, None where it is a tombstone."""
    return {(m.key() or b"").decode(): m.value() for m in records(settings, TOPIC_TRACKER)}


def flight_ids(settings: Settings, icao24: str) -> set[int | None]:
    positions = [decode(m.value() or b"") for m in records(settings, TOPIC_POSITIONS)]
    return {position.flight_id for position in positions if position.icao24 == icao24}


def test_a_tracker_forgets_one_aircraft_wherever_it_is_restarted(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    both = [*reports(FORGOTTEN, 0, 1, 2), *reports(OTHER, 0, 1, 2)]
    wild = reports(FORGOTTEN, 3, latitude=-30.0)  # held: where no report follows it becomes a dead letter
    with stage("track", settings, tmp_path):
        send_reports(settings, [*both, *wild])
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(both), 60, "all positions")
        tell_trackers_to_forget(settings, [FORGOTTEN])
        wait_until(lambda: kept(settings).get(FORGOTTEN, b"") is None, 60, "the tombstone")
        assert kept(settings)[OTHER]
    with stage("track", settings, tmp_path):  # from what is kept alone
        send_reports(settings, [*reports(FORGOTTEN, 4), *reports(OTHER, 4)])
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(both) + 2, 60, "two more")
    assert len(flight_ids(settings, FORGOTTEN)) == 2  # a stranger from then on
    assert len(flight_ids(settings, OTHER)) == 1
    assert records(settings, TOPIC_DEAD_LETTERS) == []


def test_a_record_without_report_and_address_is_no_such_word(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    with stage("track", settings, tmp_path):
        producer = kafka.producer(settings)
        for key in (None, "XYZ", OTHER):
            producer.produce(settings.topic(TOPIC_REPORTS), None, key, partition=0)
        producer.produce(settings.topic(TOPIC_REPORTS), b"", OTHER)
        assert producer.flush(10) == 0
        wait_until(lambda: len(records(settings, TOPIC_DEAD_LETTERS)) >= 3, 60, "the refused")
        wait_until(lambda: OTHER in kept(settings), 60, "the word that came to the wrong partition")
    assert len(records(settings, TOPIC_DEAD_LETTERS)) == 3


def test_without_kafka_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flight_platform.privacy.tracking._PATIENCE_S", 0.3)
    with pytest.raises(ServerUnavailableError, match="once it runs"):
        tell_trackers_to_forget(Settings.read(kafka_bootstrap="127.0.0.1:1"), [OTHER])
