"""The promise, whole: whatever process or server dies under load, and as often as it dies, every report that Kafka
acknowledged is judged once, every position is in history once, under the flight id that an undisturbed run gives it,
the ledger proves it, the live store equals the newest report of each flight, and the lag goes back to zero.

Each of the seven is killed five times, at random moments, and the topics grow. What is fed is in `tests/traffic.py`,
what dies in `tests/killable.py`, what must be true then in `tests/oracle.py`.
"""

import random
import secrets
import time
from functools import partial
from pathlib import Path

import pytest
import structlog
from confluent_kafka import KafkaError, Message

from flight_platform import kafka
from flight_platform.names import TOPIC_REPORTS
from flight_platform.settings import Settings
from tests import oracle, traffic
from tests.killable import ALL, AWAY_S, STAGES, Platform, platform, wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200), pytest.mark.alone]

log = structlog.get_logger()

KILLS = 5  # of each
PARTITIONS = 6  # in the end; 4 at first
GROWS_IN = 2  # in this part of five: there are deaths before and after
LAG_S = 30.0  # on a machine that has nothing else to do


def test_everything_dies_under_load(server_folder: Path, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    parts = traffic.parts(KILLS, kafka.now_ms() - KILLS * traffic.PART_MS)
    expected = traffic.undisturbed(list(traffic.in_order(parts)))
    with platform(server_folder, tmp_path) as running:
        began = time.monotonic()
        for number, part in enumerate(parts):
            recording = tmp_path / f"part-{number}.ndjson"
            recording.write_bytes(b"\n".join(part.lines) + b"\n")
            _put(running.settings, part)
            running.play(recording, traffic.SPEED)
            _kill_each_once(running, chance)
            if number == GROWS_IN:
                running.grow(PARTITIONS)
            wait_for(running.has_played, "the recording is played")
        running.wait_for_all()
        healed = time.monotonic()
        wait_for(lambda: _has_caught_up(running.settings, len(expected)), "the lag is back to zero", LAG_S)
        caught_up = time.monotonic()
        found = oracle.read(running.settings)
        log.info(
            "all_died",
            seed=seed,
            reports=len(found.reports),
            per_s=round(len(found.reports) / (healed - began)),
            lag_s=round(caught_up - healed, 1),
        )
        oracle.check_that_each_report_was_judged_once(found, running.moved_ms, PARTITIONS)
        oracle.check_what_the_feed_refused(found, {line for part in parts for line in part.broken})
        oracle.check_history(running.settings, expected)
        oracle.check_ledger(running.settings, found, rows=len(expected))
        oracle.check_live(running.settings, expected)
        assert running.kills == dict.fromkeys(ALL, KILLS)
        assert running.stop() == dict.fromkeys(STAGES, 0)


def _put(settings: Settings, part: traffic.Part) -> None:
    """What comes into Kafka past our own feed. As a feed does, it sends again what Kafka has refused."""
    left = list(part.direct)
    while left:
        refused: list[tuple[str, bytes]] = []
        producer = kafka.producer(settings)
        for key, value in left:
            again = partial(_note_refusal, refused, key, value)
            producer.produce(settings.topic(TOPIC_REPORTS), value, key, on_delivery=again)
        assert producer.flush(5 * AWAY_S) == 0
        left = refused


def _note_refusal(
    refused: list[tuple[str, bytes]], key: str, value: bytes, error: KafkaError | None, _message: Message
) -> None:
    if error is not None:
        refused.append((key, value))


def _kill_each_once(running: Platform, chance: random.Random) -> None:
    """While a part plays, each dies once, at a random moment: all were at work, but some are still coming back."""
    running.wait_for_all()
    begun = time.monotonic()
    for moment, name in sorted((chance.uniform(0.3, 0.7 * traffic.PART_S), name) for name in ALL):
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        running.kill(name)


def _has_caught_up(settings: Settings, rows: int) -> bool:
    return oracle.lag(settings) == dict.fromkeys(STAGES, 0) and oracle.rows_booked(settings) >= rows
