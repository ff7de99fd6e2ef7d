"""Dead letters on a real Kafka: through feed and tracker, as the command shows them, and back exactly once."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException

from cli.main import EXIT_FAILURE, main
from flight_platform import kafka
from flight_platform.codec import encode, iso_time
from flight_platform.errors import FencedError
from flight_platform.kafka import headers_of, partition_of
from flight_platform.model import Position
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_POSITIONS, TOPIC_REPORTS, Header, Reason, Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from streaming import replay_dead_letters as replaying
from streaming.dead_letter_topic import Wanted, read_all
from streaming.dead_letters import POSITION_FORMAT, Mark, letter
from streaming.replay_dead_letters import Judgement, Outcome, Outlet, replay
from tests.processes import CHECKOUT, new_settings, records, stage

pytestmark = pytest.mark.integration
NEWER_FIELD = b"\xfa\x06\x03new"  # field 111 of a writer that is ahead of us
EVERYTHING = Wanted()
# A replay that dies as its first transaction is about to end, and one that dies just after.
DIES: dict[str, str] = {
    "before": "self._producer.flush(10); os.kill(os.getpid(), signal.SIGKILL)",
    "after": "ends(self); os.kill(os.getpid(), signal.SIGKILL)",
}


def report(number: int, **change: Any) -> Position:
    now_ms = kafka.now_ms()
    place = Position(
        icao24=f"{0x400000 + number:06x}",
        time=now_ms,
        received_at=now_ms,
        latitude=40.0,
        longitude=number * 0.01,
        source="roof",
    )
    return replace(place, **change)


def put_letters(
    settings: Settings, positions: list[Position], *, reason: Reason = Reason.IMPLAUSIBLE, source: str = "roof"
) -> None:
    """Letters as the tracker writes them, all committed."""
    producer = kafka.producer(settings)
    for position in positions:
        value, headers = letter(
            encode(position),
            reason=reason,
            detail="far",
            stage=Stage.TRACK,
            source=source,
            now_ms=kafka.now_ms(),
            record_format=POSITION_FORMAT,
        )
        producer.produce(settings.topic(TOPIC_DEAD_LETTERS), value, headers=headers)
    assert producer.flush(20) == 0


def reported(settings: Settings) -> Counter[bytes]:
    return Counter(message.value() or b"" for message in records(settings, TOPIC_REPORTS))


def outcomes(judgements: list[Judgement]) -> Counter[Outcome]:
    return Counter(judgement.outcome for judgement in judgements)


def flight(settings: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """The command, in this process."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_info:
        main(list(words))
    assert exit_info.value.code == 0


def feed(settings: Settings, *words: str) -> None:
    """A feed until its file ends, in a process of its own."""
    environment = os.environ | settings.environment() | {"FLIGHT_INSTANCE": "feed-test"}
    command = [sys.executable, "-m", "cli.main", "feed", *words]
    subprocess.run(command, cwd=CHECKOUT, env=environment, timeout=60, check=True, capture_output=True)


@pytest.mark.parametrize("when", list(DIES))
def test_a_replay_that_is_killed_and_started_again_brings_each_letter_back_once(
    kafka_bootstrap: str, database: DatabaseUrls, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    sent = [report(number) for number in range(30)]
    put_letters(settings, sent)
    code = f"""
import os, signal
from flight_platform.settings import Settings
from streaming import replay_dead_letters as replaying
from streaming.dead_letter_topic import Wanted
replaying._CHUNK_LETTERS = 10
ends = replaying.Outlet._end
def dies(self):
    {DIES[when]}
replaying.Outlet._end = dies
list(replaying.replay(Settings.read(), Wanted()))
"""
    environment = os.environ | settings.environment()
    killed = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    done = 0 if when == "before" else 10

    again = outcomes(list(replay(settings, EVERYTHING)))
    assert again == Counter({Outcome.REPLAYED: 30 - done, Outcome.ALREADY_REPLAYED: done})
    assert outcomes(list(replay(settings, EVERYTHING))) == {Outcome.ALREADY_REPLAYED: 30}
    assert reported(settings) == Counter(encode(position) for position in sent)
    for message in records(settings, TOPIC_REPORTS):
        icao24 = (message.key() or b"").decode()
        assert message.partition() == partition_of(icao24, settings.kafka_partitions)


def test_a_mark_behind_somebody_s_open_transaction_is_seen(kafka_bootstrap: str, database: DatabaseUrls) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    put_letters(settings, [report(number) for number in range(8)])
    judged, outlet = list(replaying.dry_run(settings, EVERYTHING)), Outlet(settings)
    other = kafka.producer(settings, **{"transactional.id": settings.group("other")})
    other.init_transactions(20)
    other.begin_transaction()
    for number in range(settings.kafka_partitions):
        other.produce(settings.topic(TOPIC_DEAD_LETTERS), b"open", partition=number)
    other.flush(10)
    outlet.commit(judged)
    assert not any(isinstance(entry, Mark) for entry in read_all(settings)), "the marks are not hidden: no proof"
    ends = threading.Timer(1, other.abort_transaction)
    ends.start()
    assert outcomes(list(replay(settings, EVERYTHING))) == {Outcome.ALREADY_REPLAYED: 8}
    ends.join()
    assert set(reported(settings).values()) == {1}


def test_the_replay_that_started_last_has_the_way_back(kafka_bootstrap: str, database: DatabaseUrls) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    put_letters(settings, [report(number) for number in range(4)])
    (*firsts, last) = replaying.dry_run(settings, EVERYTHING)
    slow = Outlet(settings)
    slow.commit(firsts)
    quick = outcomes(list(replay(settings, EVERYTHING)))
    assert quick == {Outcome.REPLAYED: 1, Outcome.ALREADY_REPLAYED: 3}
    with pytest.raises(KafkaException) as raised:
        slow.commit([last])
    assert isinstance(replaying._refused(raised.value), FencedError)
    assert set(reported(settings).values()) == {1}


def test_filters_limit_and_a_dry_run_that_writes_nothing(
    kafka_bootstrap: str, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    put_letters(settings, [report(number) for number in range(6)])
    put_letters(settings, [report(6, latitude=91.0), report(7)], reason=Reason.OUT_OF_RANGE, source="attic")

    flight(settings, monkeypatch, "dead-letters", "replay", "--all", "--dry-run", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["outcomes"]["replayed"], answer["refused_again"]) == (7, {"out_of_range": 1})
    assert not reported(settings)

    flight(settings, monkeypatch, "dead-letters", "replay", "--source", "attic", "--json")
    assert json.loads(capsys.readouterr().out)["outcomes"] == {
        "replayed": 1, "already_replayed": 0, "refused_again": 1, "not_replayable": 0, "blocked": 0,
    }  # fmt: skip
    flight(settings, monkeypatch, "dead-letters", "replay", "--reason", "implausible", "--limit", "2")
    assert "2 reports went" in capsys.readouterr().out
    flight(settings, monkeypatch, "dead-letters", "replay", "--since", "1d", "--limit", "3")
    assert "3 reports went" in capsys.readouterr().out
    flight(settings, monkeypatch, "dead-letters", "replay", "--until", "1d")
    assert "no dead letters of that kind" in capsys.readouterr().out
    assert sum(reported(settings).values()) == 6

    flight(settings, monkeypatch, "dead-letters", "list", "--json")
    listed = json.loads(capsys.readouterr().out)
    assert {(row["reason"], row["count"], row["replayed"]) for row in listed["by_source"]} == {
        ("implausible", 6, 5),
        ("out_of_range", 2, 1),
    }
    (left,) = (one["id"] for one in listed["dead_letters"] if one["reason"] == "implausible" and not one["replayed_at"])
    gone = next(one["id"] for one in listed["dead_letters"] if one["replayed_at"])
    flight(settings, monkeypatch, "dead-letters", "replay", left, gone)
    said = " ".join(capsys.readouterr().out.split())
    assert "replayed 1 already replayed 1" in said
    with pytest.raises(SystemExit) as exit_info:
        main(["dead-letters", "replay", "0:99999"])
    assert exit_info.value.code == EXIT_FAILURE
    assert "there is no dead letter 0:99999" in capsys.readouterr().err


def test_what_a_feed_refused_is_shown_and_comes_back_when_it_may(
    kafka_bootstrap: str,
    database: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    old_ms = kafka.now_ms() - 3 * 86_400_000
    late = {
        "icao24": "3c6444",
        "time": iso_time(old_ms),
        "latitude": 49,
        "longitude": 2.5,
        "weather": "of a newer writer",
    }
    file = tmp_path / "reports.jsonl"
    file.write_text(json.dumps(late) + '\n{"icao24": "3c64\n')
    feed(settings, "replay", str(file), "--name", "roof")

    flight(settings, monkeypatch, "dead-letters", "list", "--json")
    letters = {one["reason"]: one for one in json.loads(capsysbinary.readouterr().out)["dead_letters"]}
    assert letters["undecodable"]["exception"].splitlines()[1].startswith("caused by JSONDecodeError")
    assert {one["format"] for one in letters.values()} == {"report"}
    flight(settings, monkeypatch, "dead-letters", "show", letters["too_late"]["id"], "--raw")
    assert capsysbinary.readouterr().out == json.dumps(late).encode()  # with the field that nobody here knows
    flight(settings, monkeypatch, "dead-letters", "show", letters["too_late"]["id"])
    assert b'"weather": "of a newer writer"' in capsysbinary.readouterr().out

    flight(settings, monkeypatch, "dead-letters", "replay", "--all")
    assert b"taken with --backfill" in capsysbinary.readouterr().out
    flight(settings, monkeypatch, "dead-letters", "replay", "--all", "--backfill", "--json")
    answer = json.loads(capsysbinary.readouterr().out)
    assert (answer["reports"], answer["refused_again"]) == (1, {"undecodable": 1})
    (message,) = records(settings, TOPIC_REPORTS)
    assert message.key() == b"3c6444"


def test_ctrl_c_leaves_nothing_half_done(
    kafka_bootstrap: str, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    put_letters(settings, [report(number) for number in range(5)])

    def interrupted(_: Outlet) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Outlet, "_end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(replay(settings, EVERYTHING))
    put_letters(settings, [report(5)])  # nobody is held back: this letter is seen at once
    assert len([entry for entry in read_all(settings) if not isinstance(entry, Mark)]) == 6
    assert not reported(settings)
    assert outcomes(list(replay(settings, EVERYTHING))) == {Outcome.REPLAYED: 6}
    assert set(reported(settings).values()) == {1}


def test_of_a_file_that_is_too_long_the_head_arrives_and_is_not_replayed(
    kafka_bootstrap: str,
    database: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    file = tmp_path / "aircraft.json"
    content = os.urandom(9_500_000)  # which no compression makes smaller
    file.write_bytes(content)
    feed(settings, "readsb", "--file", str(file), "--name", "roof")
    flight(settings, monkeypatch, "dead-letters", "replay", "--all", "--json")
    answer = json.loads(capsysbinary.readouterr().out)
    assert answer["outcomes"]["not_replayable"] == 1
    (row,) = answer["dead_letters"]
    assert "8 MB" in row["detail"]
    flight(settings, monkeypatch, "dead-letters", "show", row["id"], "--raw")
    assert capsysbinary.readouterr().out == content[:8_000_000]
    flight(settings, monkeypatch, "dead-letters", "show", row["id"])
    said = capsysbinary.readouterr().out.decode()
    assert hashlib.sha256(content).hexdigest() in said
    assert "9500000" in said


def test_fields_of_a_newer_writer_survive_tracker_dead_letter_and_replay(
    kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path
) -> None:
    settings = new_settings(kafka_bootstrap, **database)
    good = encode(report(1)) + NEWER_FIELD
    refused = encode(report(2, latitude=99.0)) + NEWER_FIELD
    producer = kafka.producer(settings)
    with stage("track", settings, tmp_path):
        for icao24, data in ((report(1).icao24, good), (report(2).icao24, refused)):
            producer.produce(settings.topic(TOPIC_REPORTS), data, icao24)
        producer.flush(10)
        wait_until(lambda: records(settings, TOPIC_POSITIONS) and records(settings, TOPIC_DEAD_LETTERS), 60, "both")
        (position,) = records(settings, TOPIC_POSITIONS)
        (dead,) = records(settings, TOPIC_DEAD_LETTERS)
    assert (position.value() or b"").startswith(good)
    assert dead.value() == refused
    assert headers_of(dead)[Header.SOURCE] == "roof"
    assert outcomes(list(replay(settings, EVERYTHING))) == {Outcome.REFUSED_AGAIN: 1}

    producer.produce(
        settings.topic(TOPIC_DEAD_LETTERS),
        good,
        headers=kafka.encode_headers({"reason": "implausible", "stage": "track"}),
    )  # an older writer's letter: it says neither format nor source
    producer.flush(10)
    (back,) = (j for j in replay(settings, EVERYTHING) if j.outcome is Outcome.REPLAYED)
    assert back.letter.headers == {"reason": "implausible", "stage": "track"}
    assert reported(settings)[good] == 2  # as it first came, and as it came back
