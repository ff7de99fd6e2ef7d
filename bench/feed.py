"""The feed: position reports into `flight.reports`, acknowledged.

The limit is librdkafka's own producer loop with bytes and keys made beforehand and the same settings.
"""

import json
from secrets import token_hex

from confluent_kafka import Producer

from bench import tracks
from bench.machine import say
from bench.measure import Outcome, Sample, Way, alternate, clocked
from bench.processes import Child
from bench.run import Run, pid_of
from flight_platform import kafka
from flight_platform.codec import encode, to_record
from flight_platform.names import TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

_TICKS = 10


class FeedRun:
    """A feed process over a fleet: loaded first, then started by a word, so that loading is outside of the clock."""

    def __init__(
        self,
        run: Run,
        settings: Settings,
        *,
        aircraft: int,
        ticks: int,
        paced: bool,
        start_ms: int | None = None,
        options: tuple[str, ...] = (),
        servers: tuple[int, ...] = (),
    ) -> None:
        self.reports, self.ticks = aircraft * ticks, ticks
        self.first_address = run.take_addresses(aircraft)
        self.start_ms = start_ms or kafka.now_ms() - ticks * 1000
        self._ready, self._go = (run.folder / f"{name}-{token_hex(3)}" for name in ("ready", "go"))
        words = {
            "tracks": run.stretches_file,
            "aircraft": aircraft,
            "ticks": ticks,
            "first-address": self.first_address,
            "start-ms": self.start_ms,
            "ready": self._ready,
            "go": self._go,
        }
        more = [f"--{name}={value}" for name, value in words.items()] + [f"--server={pid}" for pid in servers]
        self.child = Child(Stage.FEED, settings, run.folder, *more, *(["--paced"] if paced else []), *options)

    def load(self) -> None:
        """Starts the process; returns when it has its fleet."""
        self.child.start()
        wait_until(self._is_loaded, 60, f"{self.child.log}: the fleet is loaded")

    def _is_loaded(self) -> bool:
        self.child.check()
        return self._ready.exists()

    def go(self, lead_ms: int | None = None) -> None:
        """Lets it feed; with `lead_ms`, a paced one begins so long from now."""
        if lead_ms is not None:
            self.start_ms = kafka.now_ms() + lead_ms
        word = self._go.with_suffix(".new")
        word.write_text(str(self.start_ms))
        word.rename(self._go)


def measure(run: Run) -> list[Outcome]:
    """Each way into topics of its own settings; the broker's time counts as the server's."""
    say("feed: librdkafka's producer loop, JSON a message, ours")
    aircraft = run.pick(5_000, 20_000)
    with run.database() as url:
        settings = run.settings(run.live[:1], url)
        topic = settings.topic(TOPIC_REPORTS)
        fleet = tracks.Fleet(run.stretches, aircraft)
        positions = list(fleet.ticks(0, _TICKS, kafka.now_ms() - _TICKS * 1000))
        pairs = [(encode(position), position.icao24) for position in positions]
        broker = pid_of(run.kafka)

        def librdkafka() -> Sample:
            producer = kafka.producer(settings, **{"queue.buffering.max.messages": 200_000})
            producer.list_topics(topic, timeout=5)
            with clocked(len(pairs), [broker]) as sample:
                for number, (value, key) in enumerate(pairs):
                    while True:
                        try:
                            producer.produce(topic, value, key)
                            break
                        except BufferError:
                            producer.poll(0.05)
                    if number % 1000 == 0:
                        producer.poll(0)
                producer.flush(30)
            return sample

        def tutorial() -> Sample:
            producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
            producer.list_topics(topic, timeout=5)
            acknowledged = []
            with clocked(len(positions), [broker]) as sample:
                for position in positions:
                    producer.produce(
                        topic,
                        json.dumps(to_record(position)),
                        position.icao24,
                        on_delivery=lambda error, _message: acknowledged.append(error),
                    )
                    producer.poll(0)
                producer.flush(30)
            return sample

        def ours() -> Sample:
            feeding = FeedRun(run, settings, aircraft=aircraft, ticks=_TICKS, paced=False, servers=(broker,))
            feeding.load()
            try:
                feeding.go()
                told = feeding.child.wait(60)
            finally:
                feeding.child.stop()
            return Sample(told["reports"], told["seconds"], told["client_cpu_s"], told["server_cpu_s"])

        ways = [
            Way("librdkafka's producer loop, bytes prepared", "limit", librdkafka),
            Way("one object, one JSON text, one produce", "naive", tutorial),
            Way("the feed process: checks, block list, protobuf", "ours", ours),
        ]
        return alternate(ways, run.rounds)
