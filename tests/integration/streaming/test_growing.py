"""Topics that grow on a real Kafka: every aircraft keeps its flight, whoever is killed on the way."""

from pathlib import Path

import pytest

from flight_platform.codec import decode
from flight_platform.kafka import partition_of
from flight_platform.names import TOPIC_POSITIONS
from flight_platform.testing import wait_until
from streaming.growing import grow
from tests.integration.streaming.test_track import expected_ids, ids, tracked, traffic
from tests.processes import new_settings, records, send_reports, stage

pytestmark = pytest.mark.integration


def test_every_aircraft_keeps_its_flight(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, kafka_partitions=4)
    sent, more = traffic(100, 30), traffic(100, 30, first=30)
    with stage("track", settings, tmp_path), stage("track", settings, tmp_path):
        send_reports(settings, sent)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent), 30, "all positions")
        grown = grow(settings, 6)
        assert (grown.before, grown.partitions) == (4, 6)
        assert grown.moved == sum(partition_of(p.icao24, 4) != partition_of(p.icao24, 6) for p in sent[:100]) > 50
        send_reports(settings, more)
        wait_until(lambda: len(records(settings, TOPIC_POSITIONS)) >= len(sent + more), 30, "the rest")
    assert len(tracked(settings)) == len(sent + more)
    assert ids(tracked(settings)) == expected_ids(sent + more)
    for message in records(settings, TOPIC_POSITIONS):
        position = decode(message.value() or b"")
        now = 6 if position.time >= more[0].time else 4
        assert message.partition() == partition_of(position.icao24, now)
