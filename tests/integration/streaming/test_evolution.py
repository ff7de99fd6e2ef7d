"""What a newer writer says beside what this version knows goes with its report all the way, on a real Kafka: through a
tracker that passes it, one that holds it back and dies, the one after that which refuses it, and a replay."""

from pathlib import Path

import pytest

from flight_platform import kafka
from flight_platform.codec import encode
from flight_platform.model import Position
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from streaming.dead_letter_topic import Wanted
from streaming.replay_dead_letters import Outcome, replay
from tests import schema_versions
from tests.processes import new_settings, records, stage

pytestmark = pytest.mark.integration

NEWER = schema_versions.newer()
REMARK = "from the future"


def send_newer(settings: Settings, reports: list[Position]) -> list[bytes]:
    """Puts reports as a newer feed does; returns their bytes."""
    producer = kafka.producer(settings)
    sent = []
    for report in reports:
        message = NEWER.FromString(encode(report))
        message.remark, message.selected_altitude_ft = f"{REMARK} {report.time}", 36_000
        sent.append(message.SerializeToString())
        producer.produce(settings.topic(TOPIC_REPORTS), sent[-1], report.icao24)
    assert producer.flush(10) == 0
    return sent


def test_a_newer_writers_fields_go_all_the_way(kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    now_ms = kafka.now_ms() - 200_000
    flown = [
        Position(icao24="4b1812", time=now_ms + s * 1000, received_at=now_ms, latitude=47 + s * 0.002, longitude=8.5)
        for s in (0, 1, 2, 135)
    ]
    jump = Position(icao24="4b1812", time=now_ms + 2_500, received_at=now_ms, latitude=-30.0, longitude=100.0)
    with stage("track", settings, tmp_path) as first:
        sent = send_newer(settings, [*flown[:3], jump])
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) == 3, 60, "three are passed, one is held")
        first.kill()
    with stage("track", settings, tmp_path):
        sent += send_newer(settings, flown[3:])  # later than the jump may wait for others like it
        wait_until(lambda: records(settings, TOPIC_DEAD_LETTERS), 60, "the jump is refused")
    passed = [NEWER.FromString(message.value() or b"") for message in records(settings, TOPIC_POSITIONS)]
    assert [position.remark for position in passed] == [f"{REMARK} {report.time}" for report in flown]
    assert all(position.flight_id and position.selected_altitude_ft == 36_000 for position in passed)
    (letter,) = records(settings, TOPIC_DEAD_LETTERS)
    assert letter.value() == sent[3]
    assert [judgement.outcome for judgement in replay(settings, Wanted())] == [Outcome.REPLAYED]
    assert [message.value() for message in records(settings, TOPIC_REPORTS)] == [*sent, sent[3]]
