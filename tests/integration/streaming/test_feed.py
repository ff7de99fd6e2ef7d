"""The feed as a process, from real sources into a real Kafka: what it says of itself, and what an outage costs."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flight_platform import kafka
from flight_platform.codec import decode
from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, migrated_database, wait_until
from flight_platform.watch import freshness
from flight_platform.watch.freshness import Cause
from tests.feeds import Receiver, feeding
from tests.processes import new_settings, records

pytestmark = pytest.mark.integration


@pytest.fixture
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture(scope="module")
def mortal_kafka(server_folder: Path) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(server_folder / "kafka-of-feeds", free_port()) as broker:
        yield broker


@pytest.fixture
def own_kafka(mortal_kafka: EmbeddedKafka) -> EmbeddedKafka:
    """A broker that a test may kill; it runs when a test begins."""
    mortal_kafka.start()
    mortal_kafka.wait_ready()
    return mortal_kafka


def heartbeat(database: DatabaseUrls) -> dict[str, Any]:
    """The row of the one feed, empty where there is none."""
    with psycopg.connect(database["postgres_url"], row_factory=dict_row) as connection:
        row = connection.execute("SELECT * FROM ops.heartbeats WHERE stage = 'feed'").fetchone()
    return row or {}


def accepted(database: DatabaseUrls) -> int:
    return int(heartbeat(database).get("counters", {}).get("accepted", 0))


def blamed(database: DatabaseUrls) -> set[tuple[Stage, Cause]]:
    """Whom freshness names of source and feed, from the first look at which it names one on."""
    memory: freshness.Memory | None = None
    named = set[tuple[Stage, Cause]]()

    def look(connection: psycopg.Connection) -> bool:
        nonlocal memory
        sighting = freshness.look(connection, memory, [], threshold_s=2.0)
        memory = sighting.memory
        named.update((s.stage, s.cause) for s in sighting.stalls if s.stage in {Stage.SOURCE, Stage.FEED})
        return bool(named)

    with psycopg.connect(database["postgres_url"], autocommit=True) as connection:
        wait_until(lambda: look(connection), 60, "somebody is named")
    return named


def in_kafka(settings: Settings) -> list[tuple[str, int]]:
    reports = [decode(message.value() or b"") for message in records(settings, TOPIC_REPORTS)]
    return [(report.icao24, report.time) for report in reports]


def recording(path: Path, count: int) -> Path:
    """A file of our own reports, a second old and older, the last line half."""
    now_ms = kafka.now_ms()
    lines = [
        json.dumps(
            {
                "icao24": f"{0x400000 + number % 50:06x}",
                "time": datetime.fromtimestamp((now_ms - 1000 - (count - number)) / 1000, UTC).isoformat(),
                "latitude": 50.0,
                "longitude": 8.0,
            }
        )
        for number in range(count)
    ]
    path.write_text("\n".join(lines) + '\n{"icao24": "40\n')
    return path


def test_a_file_arrives_whole_and_its_refusals_with_it(
    kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    file = recording(tmp_path / "reports.jsonl", 5_000)
    with feeding(settings, tmp_path, "replay", str(file)) as feed:
        assert feed.ended() == 0
    assert len(set(in_kafka(settings))) == len(in_kafka(settings)) == 5_000
    (letter,) = records(settings, TOPIC_DEAD_LETTERS)
    assert letter.value() == b'{"icao24": "40'
    assert not (tmp_path / "spool").exists(), "what can be repeated is not held"


def test_sigterm_loses_nothing_that_was_read(kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    with Receiver() as receiver, feeding(settings, tmp_path, "sbs", "--url", receiver.url) as feed:
        receiver.sending.set()
        wait_until(lambda: accepted(database) > 200, 60, "reports flow")
        assert heartbeat(database)["watermark"] is not None
        receiver.sending.clear()
        wait_until(lambda: accepted(database) == len(receiver.sent), 60, "all is read")
        newest_ms = receiver.sent[-1][1]
        wait_until(
            lambda: heartbeat(database)["watermark"].timestamp() * 1000 == pytest.approx(newest_ms, abs=0.5),
            5,
            "acknowledged although the source is silent",
        )
        assert feed.terminate() == 0
        assert sorted(in_kafka(settings)) == sorted(receiver.sent)


def test_a_stall_is_as_if_the_source_were_silent(kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stall").write_text("3")
    with Receiver() as receiver, feeding(settings, tmp_path, "sbs", "--url", receiver.url) as feed:
        receiver.sending.set()
        wait_until(lambda: accepted(database) > 0, 60, "reports flow")
        feed.send(signal.SIGUSR1)
        wait_until(lambda: feed.said("source_held_back"), 30)
        before, sent = accepted(database), len(receiver.sent)
        wait_until(lambda: len(receiver.sent) > sent + 500, 60, "the receiver goes on")
        assert accepted(database) < sent + 200, f"it was {before} when the stall began"
        held = accepted(database)
        wait_until(lambda: accepted(database) > held, 15, "it goes on after the stall")
        receiver.sending.clear()
        assert feed.terminate() == 0
        assert len(in_kafka(settings)) < len(receiver.sent) - 300, "what came meanwhile is lost: it cannot be had again"


def test_kafka_is_killed_and_comes_back(own_kafka: EmbeddedKafka, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(own_kafka.bootstrap, **database)
    with Receiver() as receiver, feeding(settings, tmp_path, "sbs", "--url", receiver.url) as feed:
        receiver.sending.set()
        wait_until(lambda: heartbeat(database).get("watermark") is not None, 60, "reports flow")
        wait_until(lambda: heartbeat(database)["lag_records"] < 500, 60, "straight into Kafka")
        own_kafka.kill()
        wait_until(lambda: feed.said("kafka_is_silent"), 60, "the outage is noticed")
        wait_until(lambda: heartbeat(database)["note"] == "waiting for Kafka", 30)
        watermark, lag = heartbeat(database)["watermark"], heartbeat(database)["lag_records"]
        wait_until(lambda: heartbeat(database)["lag_records"] > lag + 2_000, 60, "the lag is seen to grow")
        assert blamed(database) == {(Stage.FEED, Cause.KAFKA_UNREACHABLE)}
        assert heartbeat(database)["watermark"] == watermark, "it moves by acknowledgement alone"
        own_kafka.start()
        own_kafka.wait_ready()
        wait_until(lambda: heartbeat(database)["note"] == "running", 60, "it goes on")
        receiver.sending.clear()
        wait_until(lambda: accepted(database) == len(receiver.sent), 60, "all is read")
        wait_until(lambda: heartbeat(database)["lag_records"] == 0, 60, "all is acknowledged")
        assert feed.terminate() == 0
        found = in_kafka(settings)
        assert Counter(found) == Counter(receiver.sent), "nothing is lost, nothing comes twice"
        per_aircraft = [time_ms for icao24, time_ms in found if icao24 == "400000"]
        assert per_aircraft == sorted(per_aircraft), "in order"


def test_kafka_is_down_from_start_to_stop(own_kafka: EmbeddedKafka, database: DatabaseUrls, tmp_path: Path) -> None:
    """One run holds, is stopped, the next one sends what it finds."""
    settings = new_settings(own_kafka.bootstrap, **database)
    own_kafka.stop()
    with Receiver() as receiver:
        receiver.sending.set()
        with feeding(settings, tmp_path, "sbs", "--url", receiver.url) as feed:
            wait_until(lambda: accepted(database) > 2_000, 60, "it takes what comes")
            assert heartbeat(database)["note"] == "waiting for Kafka"
            wait_until(lambda: feed.said("kafka_is_silent"), 60, "what it holds is not said to be the source's fault")
            assert blamed(database) == {(Stage.FEED, Cause.KAFKA_UNREACHABLE)}
            receiver.sending.clear()
            wait_until(lambda: accepted(database) == len(receiver.sent), 60, "all is read")
            assert feed.terminate() == 0
            assert feed.said("held_for_the_next_run")
        own_kafka.start()
        own_kafka.wait_ready()
        with feeding(settings, tmp_path, "sbs", "--url", receiver.url) as feed:
            wait_until(lambda: heartbeat(database).get("lag_records") == 0, 60, "what was held is sent")
            assert feed.terminate() == 0
        assert Counter(in_kafka(settings)) == Counter(receiver.sent)


def test_a_file_waits_for_kafka(own_kafka: EmbeddedKafka, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(own_kafka.bootstrap, **database)
    own_kafka.stop()
    file = recording(tmp_path / "reports.jsonl", 500)
    with feeding(settings, tmp_path, "replay", str(file)) as feed:
        wait_until(lambda: feed.said("waiting_for_kafka"), 20)
        own_kafka.start()
        own_kafka.wait_ready()
        assert feed.ended() == 0
        assert len(in_kafka(settings)) == 500


class _AircraftJson(BaseHTTPRequestHandler):
    """Each answer has one aircraft, seen now."""

    polls: list[float]

    def do_GET(self) -> None:
        self.polls.append(time.monotonic())
        now_s = time.time()
        body = json.dumps(
            {
                "now": now_s,
                "messages": len(self.polls),
                "aircraft": [
                    {"hex": "400001", "lat": 50 + len(self.polls) / 1e4, "lon": 8.0, "seen_pos": 0, "seen": 0}
                ],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_polls_are_held_too(own_kafka: EmbeddedKafka, database: DatabaseUrls, tmp_path: Path) -> None:
    settings = new_settings(own_kafka.bootstrap, **database)
    own_kafka.stop()
    handler = type("Handler", (_AircraftJson,), {"polls": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/data/aircraft.json"
        try:
            with feeding(settings, tmp_path, "readsb", "--url", url, "--interval", "0.1") as feed:
                wait_until(lambda: accepted(database) > 5, 60, "polls are held")
                assert heartbeat(database)["counters"]["held"] > 5
                own_kafka.start()
                own_kafka.wait_ready()
                wait_until(lambda: heartbeat(database)["watermark"] is not None, 60, "what was held is sent")
                assert feed.terminate() == 0
        finally:
            server.shutdown()
            thread.join()
    found = in_kafka(settings)
    assert len(found) == len(set(found)) > 5
