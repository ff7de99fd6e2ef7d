"""All together: every process running on this machine, a fleet's reports from the feed to both stores.

Unpaced, the feed gives all it can and the clock stops when the last report is in both stores. The naive way is one
loop that takes a message, makes an object, and does one SET and one INSERT with its commit.
"""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from bench import tracks
from bench.history import INSERT, row_of
from bench.live import client_of, words_of
from bench.machine import say
from bench.measure import Sample, clocked
from bench.observe import LiveLook
from bench.platform import Platform, running
from bench.run import PARTITIONS, Run, pid_of
from flight_platform import kafka
from flight_platform.codec import from_record, to_record
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.history.partitions import ensure_ahead
from flight_platform.model import address_of, make_flight_id
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER

_TIME_LIMIT_S = 90
_TICKS = 20


def measure(run: Run, live: EmbeddedLive) -> dict[str, Any]:
    """The flat-out run, the naive one, what each process cost and what a report takes at rest."""
    say(f"all together, as fast as it goes: {live.name}")
    rounds = [flat_out(run, live) for _ in range(run.pick(1, 3))]
    best = sorted(rounds, key=lambda told: told["reports_per_s"])[len(rounds) // 2]
    naive = one_loop(run, live)
    return {**best, "rounds": [told["reports_per_s"] for told in rounds], "naive_reports_per_s": round(naive.rate)}


def flat_out(run: Run, live: EmbeddedLive) -> dict[str, Any]:
    """One run over empty stores."""
    aircraft = run.pick(8_000, 15_000)
    resident = _resident_bytes(pid_of(live))
    with running(run, [live]) as platform:
        feeding = platform.feed(aircraft=aircraft, ticks=_TICKS, paced=False)
        platform.spent()
        try:
            feeding.go()
            platform.wait_for_rows(feeding.reports, _TIME_LIMIT_S)
            in_history = time.time()
            told = feeding.child.wait(10)
        finally:
            feeding.child.stop()
        in_live = _wait_for_last(platform, feeding, aircraft)
        seconds = max(in_history, in_live) - told["began"]
        costs = {"feed": told["client_cpu_s"], **platform.spent()}
        return {
            "live_server": live.name,
            "reports": feeding.reports,
            "seconds": round(seconds, 2),
            "reports_per_s": round(feeding.reports / seconds),
            "feed_reports_per_s": round(feeding.reports / told["seconds"]),
            "cpu_us_per_report": {name: round(value / feeding.reports * 1e6, 2) for name, value in costs.items()},
            "bytes_per_report": _at_rest(platform, feeding.reports + platform.warm_rows),
            "live_bytes_per_flight": round(max(_resident_bytes(pid_of(live)) - resident, 0) / aircraft),
        }


def _wait_for_last(platform: Platform, feeding: Any, aircraft: int) -> float:
    """When the last aircraft's last reports were seen live, or before: the look is after history's."""
    look = LiveLook(platform.live)
    last_tick = feeding.ticks - 1
    wanted = []
    for number in range(aircraft - 50, aircraft):
        born_ms = feeding.start_ms + number * 1000 // aircraft
        wanted.append((make_flight_id(feeding.first_address + number, born_ms // 1000), born_ms + last_tick * 1000))
    deadline = time.monotonic() + 20
    while len(look(wanted)) < len(wanted):
        if time.monotonic() > deadline:
            raise TimeoutError("the last reports are not in the live store")
        time.sleep(0.01)
    return time.time()


def _at_rest(platform: Platform, reports: int) -> dict[str, float]:
    """Bytes a report in Kafka's log and in Postgres, indexes included."""
    settings, data = platform.settings, platform.run.kafka.folder / "data"
    sizes = {}
    for topic in (TOPIC_REPORTS, TOPIC_POSITIONS, TOPIC_TRACKER):
        logs = data.glob(f"{settings.topic(topic)}-*/*.log")
        sizes[f"Kafka {topic}"] = sum(path.stat().st_size for path in logs) / reports
    row = platform.postgres.execute(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass"
    ).fetchone()
    empty = platform.postgres.execute(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'history.positions'::regclass"
    ).fetchone()
    sizes["PostgreSQL history.positions"] = (int(row[0]) - 16_384 * int(empty[0])) / reports if row and empty else 0
    return {name: round(size, 1) for name, size in sizes.items()}


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def one_loop(run: Run, live: EmbeddedLive) -> Sample:
    """The naive platform: JSON in, one SET and one INSERT a message."""
    count = run.pick(1_000, 3_000)
    fleet = tracks.Fleet(run.stretches, count, run.take_addresses(count))
    with run.database() as url, psycopg.connect(url, autocommit=True) as connection:
        settings = run.settings([live], url)
        topic = settings.topic(TOPIC_REPORTS)
        producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
        consumer: Consumer = kafka.consumer(settings, group="bench-naive", **{"group.protocol": "classic"})
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        client = client_of(live)
        positions = list(fleet.ticks(0, 1, kafka.now_ms()))
        servers = [pid_of(run.kafka), pid_of(run.postgres), pid_of(live)]
        ensure_ahead(connection, datetime.now(UTC), days=1)
        with clocked(count, servers) as sample:
            for position in positions:
                producer.produce(topic, json.dumps(to_record(position)), position.icao24)
                producer.poll(0)
            producer.flush(30)
            left = count
            while left:
                message = consumer.poll(1.0)
                if message is None or message.error() is not None:
                    continue
                report = from_record(json.loads(message.value() or b""), received_at=kafka.now_ms())
                report = replace(report, flight_id=make_flight_id(address_of(report.icao24), report.time // 1000))
                client.execute_command("SET", *words_of(report))  # type: ignore[no-untyped-call]
                connection.execute(INSERT, row_of(report))
                left -= 1
        consumer.close()
        client.close()
        return sample
