"""`python -m bench.backpressure`: what stands still for two minutes at 20,000 reports a second, and what that costs.

    sinks   Postgres and the live server are killed: history holds, live folds; memory, lag, then how fast they catch up
    feed    Kafka is killed before a source that cannot repeat: the feed holds on disk; memory, lag, catching up

Real servers and real processes. Prints a line each ten seconds, then what it comes to; every report is counted at the
end. What it claims is a shape (memory level, nothing lost), and rates as multiples of the arrival.
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from confluent_kafka import TopicPartition

from bench.machine import say
from flight_platform import kafka
from flight_platform.codec import encode, stamp_flight_id
from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import now_ms
from flight_platform.model import Position, format_flight_id, make_flight_id
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, migrated_database, wait_until
from protos.flight.v1.position_pb2 import Position as PositionMessage
from streaming.sources.base import Batch
from streaming.spool import Spool

FLIGHTS: Final = 10_000
FIRST_ADDRESS: Final = 0x400000
SLOT_S: Final = 0.02
MOST: Final = 2_000  # at once: who is late does not come with all of it
FILLED_S: Final = 20  # of steady flow before the outage: buffers and tables have found their size
LONGEST_CATCH_UP_S: Final = 600


class Fleet:
    """An endless run of reports: flights in turn, each moment of a flight once."""

    def __init__(self, rate: int) -> None:
        self._rate, self._began, self.made = rate, time.monotonic(), 0

    def due(self) -> range:
        """The numbers of the reports that have fallen due since the last call."""
        first = self.made
        self.made = max(min(int((time.monotonic() - self._began) * self._rate), first + MOST), first)
        return range(first, self.made)


def moment_ms(number: int, now: int) -> int:
    """The time of a report that is made now; two of one flight may be made in one millisecond."""
    return now - number // FLIGHTS % 2


def report(number: int, now: int) -> Position:
    """A report of that run."""
    return Position(
        icao24=f"{FIRST_ADDRESS + number % FLIGHTS:06x}",
        time=moment_ms(number, now),
        received_at=now,
        latitude=round(40 + number % 1000 / 100, 7),
        longitude=round(number % FLIGHTS / 1000, 7),
        altitude_ft=35_000,
        ground_speed_kt=430.0,
        track_deg=90.0,
        callsign=f"TST{number % FLIGHTS}",
        source="bench",
    )


class Unrepeatable:
    """That fleet as a source that sends each report once."""

    name = "bench"
    repeatable = False

    def __init__(self, rate: int, said: Path) -> None:
        self._rate, self._said = rate, said

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """Until told to stop; then says how many reports there were."""
        fleet = Fleet(self._rate)
        while not stop.wait(SLOT_S):
            now = now_ms()
            positions = [report(number, now) for number in fleet.due()]
            yield Batch(positions=positions, originals=list(positions))
        self._said.write_text(str(fleet.made))


@dataclass(slots=True)
class Watched:
    """A process of the platform and what was seen of it."""

    name: str
    process: subprocess.Popen[bytes]
    metrics: int
    memory_mb: list[float] = field(default_factory=list)

    def look(self) -> str:
        """Its memory now, and its lag as it tells it."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        self.memory_mb.append(pages * 4096 / 1e6)
        return f"{self.name} {self.memory_mb[-1]:.0f} MB, lag {self.lag():,.0f}"

    def lag(self) -> float:
        """Records that wait; NaN where it does not say."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return math.nan
        names = ("flight_consumer_lag_records{", "flight_ingest_held_records{")
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names))

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextmanager
def watched(name: str, settings: Settings, folder: Path, code: str) -> Iterator[Watched]:
    """A process for the length of the body."""
    port = free_port()
    environment = settings.environment() | {"FLIGHT_METRICS_PORT": str(port), "FLIGHT_VAR": str(folder)}
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | environment, stdout=log, stderr=log)
    try:
        yield Watched(name, process, port)
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True)
class Course:
    """The common course: flow, outage, return, catch-up."""

    rate: int
    outage_s: int
    watched: list[Watched]

    def run(self, break_: Callable[[], None], mend: Callable[[], None]) -> None:
        """Prints as it goes. `mend` returns when what was broken answers."""
        self._for(FILLED_S, "flow")
        before = {w.name: w.memory_mb[-1] for w in self.watched}
        break_()
        for w in self.watched:
            w.memory_mb.clear()
        self._for(self.outage_s, "down")
        for w in self.watched:
            low, high = min(w.memory_mb), max(w.memory_mb)
            settled = w.memory_mb[len(w.memory_mb) // 4]
            say(
                f"{w.name}: {before[w.name]:.0f} MB before; down {low:.0f}..{high:.0f} MB, the last three quarters"
                f" {(w.memory_mb[-1] / settled - 1) * 100:+.1f} %"
            )
        mend()
        began = time.monotonic()
        waiting = {w.name: w for w in self.watched}
        backlog = {w.name: w.lag() for w in self.watched}
        while waiting and time.monotonic() - began < LONGEST_CATCH_UP_S:
            time.sleep(0.25)
            for name, w in list(waiting.items()):
                if w.lag() < self.rate / 2:
                    took = time.monotonic() - began
                    say(
                        f"{name}: {backlog[name]:,.0f} behind, caught up in {took:.1f} s while more came:"
                        f" {(backlog[name] / took + self.rate) / self.rate:.1f} times the arrival;"
                        f" {w.look()}"
                    )
                    del waiting[name]
        for name in waiting:
            say(f"{name}: NOT caught up within {LONGEST_CATCH_UP_S} s")

    def _for(self, seconds: int, what: str) -> None:
        began = time.monotonic()
        for second in count(1):
            time.sleep(max(began + second - time.monotonic(), 0))
            seen = "; ".join([w.look() for w in self.watched])
            if second % 10 == 0:
                say(f"{what} {second:>4} s: {seen}")
            if second >= seconds:
                return


def sinks(kafka_bootstrap: str, folder: Path, rate: int, outage_s: int) -> None:
    """History without Postgres, live without its server."""
    with (
        EmbeddedPostgres(folder / "postgres", free_port(), durable=False) as postgres,
        migrated_database(postgres) as urls,
        EmbeddedLive(folder / "live", free_port()) as live_server,
    ):
        settings = _settings(kafka_bootstrap, urls, tile38_urls=(live_server.url,))
        code = "from streaming.{} import run; from flight_platform.settings import Settings; run(Settings.read())"
        stop = threading.Event()
        sent: list[int] = []
        flow = threading.Thread(target=_produce, args=(settings, rate, stop, sent))
        with ExitStack() as stack:
            children = [
                stack.enter_context(watched(name, settings, folder, code.format(name)))
                for name in (Stage.HISTORY, Stage.LIVE)
            ]
            flow.start()
            try:

                def break_() -> None:
                    postgres.kill()
                    live_server.kill()

                def mend() -> None:
                    for server in (postgres, live_server):
                        server.start()
                        server.wait_ready()

                Course(rate, outage_s, children).run(break_, mend)
            finally:
                stop.set()
                flow.join()
            rows = partial(_rows, urls["postgres_url"])
            wait_until(lambda: rows() >= sent[0], 120, "all rows")
            say(f"history: {rows():,} rows of {sent[0]:,} reports sent")


def _produce(settings: Settings, rate: int, stop: threading.Event, sent: list[int]) -> None:
    """Tracked reports into `flight.positions`, as the tracker writes them. Made beforehand save for their times: the
    sender shares the cores of those whom it feeds."""
    producer = kafka.producer(settings, **{"queue.buffering.max.messages": 1_000_000})
    fleet, topic, seen_s = Fleet(rate), settings.topic(TOPIC_POSITIONS), now_ms() // 1000
    flight_ids = [make_flight_id(FIRST_ADDRESS + number, seen_s) for number in range(FLIGHTS)]
    keys = [format_flight_id(flight_id) for flight_id in flight_ids]
    timeless = [stamp_flight_id(encode(report(n, 0)), flight_id) for n, flight_id in enumerate(flight_ids)]
    while not stop.wait(SLOT_S):
        now = now_ms()
        # What is appended to a message counts instead of what it said before.
        times = {
            time_ms: PositionMessage(time=time_ms, received_at=now).SerializeToString() for time_ms in (now, now - 1)
        }
        for number in fleet.due():
            value = timeless[number % FLIGHTS] + times[moment_ms(number, now)]
            producer.produce(topic, value, keys[number % FLIGHTS])
        producer.poll(0)
    producer.flush(30)
    sent.append(fleet.made)


def _rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(sum(records), 0) FROM ops.ledger").fetchone()
    return int(row[0]) if row else 0


def feed(folder: Path, rate: int, outage_s: int) -> None:
    """A feed whose source cannot repeat, without Kafka."""
    with (
        EmbeddedPostgres(folder / "feed-postgres", free_port(), durable=False) as postgres,
        migrated_database(postgres) as urls,
        EmbeddedKafka(folder / "feed-kafka", free_port()) as broker,
    ):
        settings = _settings(broker.bootstrap, urls)
        said = folder / "sent"
        code = (
            "from bench.backpressure import Unrepeatable; from flight_platform.settings import Settings;"
            f" from pathlib import Path; from streaming.feed import run;"
            f" run(Settings.read(), Unrepeatable({rate}, Path({str(said)!r})))"
        )
        with watched(Stage.FEED, settings, folder, code) as child:

            def mend() -> None:
                broker.start()
                broker.wait_ready()

            Course(rate, outage_s, [child]).run(broker.kill, mend)
            child.end()
        reader = kafka.consumer(settings, group="bench-count", **{"group.protocol": "classic"})
        topic = reader.list_topics(settings.topic(TOPIC_REPORTS), timeout=10).topics[settings.topic(TOPIC_REPORTS)]
        places = [TopicPartition(settings.topic(TOPIC_REPORTS), number) for number in topic.partitions]
        found = sum(kafka.end_offsets(reader, places).values())
        reader.close()
        sent = int(said.read_text())
        with Spool(folder / "spool" / Unrepeatable.name, settings.spool_bytes) as spool:
            left = spool.waiting
        say(f"feed: {sent:,} reports sent, {found:,} in Kafka and {left:,} on disk when it was stopped")


def _settings(bootstrap: str, urls: DatabaseUrls, **more: object) -> Settings:
    settings = Settings.read(kafka_bootstrap=bootstrap, kafka_partitions=6, **urls, **more)
    kafka.ensure_topics(settings)
    return settings


def main() -> None:
    """Both parts, or one."""
    parser = argparse.ArgumentParser(prog="python -m bench.backpressure", description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=("sinks", "feed", "both"), default="both")
    parser.add_argument("--rate", type=int, default=20_000, help="reports a second (20000)")
    parser.add_argument("--outage", type=int, default=120, help="seconds (120)")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flight-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        if words.part in ("sinks", "both"):
            with EmbeddedKafka(folder / "kafka", free_port()) as broker:
                sinks(broker.bootstrap, folder, words.rate, words.outage)
        if words.part in ("feed", "both"):
            feed(folder, words.rate, words.outage)


if __name__ == "__main__":
    main()
