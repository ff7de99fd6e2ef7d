"""The platform's processes as children of a test, and what lies in Kafka as lists."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Final

from confluent_kafka import Message, TopicPartition

from flight_platform import kafka
from flight_platform.codec import encode
from flight_platform.model import Position
from flight_platform.names import TOPIC_REPORTS
from flight_platform.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]


class StageProcess:
    """One process of the platform, in a process of its own; its log is kept for when a test fails.

    `arguments` are for what only the command line can say, as the source of a feed.
    """

    def __init__(
        self,
        stage: str,
        settings: Settings,
        log_folder: Path,
        instance: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.stage, self.instance = stage, instance or f"{stage}-{token_hex(3)}"
        self.log = log_folder / f"{self.instance}.log"
        environment = (
            os.environ | settings.environment() | {"FLIGHT_INSTANCE": self.instance, "FLIGHT_LOG_FORMAT": "json"}
        )
        code = f"from streaming.{stage} import run; from flight_platform.settings import Settings; run(Settings.read())"
        words = ["-m", "cli.main", stage, *arguments] if arguments else ["-c", code]
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, *words], cwd=CHECKOUT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._process.kill()
        self._process.wait(10)

    def suspend(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        """Ends it as an operator does; returns the exit code."""
        self._process.terminate()
        return self._process.wait(30)

    def said(self, action: str) -> int:
        """How often its log has that action, since it was started."""
        return self.log.read_bytes()[self._begin :].count(f'"event": "{action}"'.encode())


@contextmanager
def stage(name: str, settings: Settings, log_folder: Path, instance: str | None = None) -> Iterator[StageProcess]:
    """A process of that stage for the length of the body."""
    process = StageProcess(name, settings, log_folder, instance)
    try:
        yield process
    finally:
        if process.alive:
            process.kill()


# A platform that runs on this machine listens where the settings look by default: a test must not beat into it.
NOWHERE: Final[dict[str, object]] = {
    "postgres_url": "postgresql://flight:flight@127.0.0.1:1/flight",
    "tile38_urls": "redis://127.0.0.1:1",
}


@cache
def scratch() -> TemporaryDirectory[str]:
    """Where processes that name no folder leave their files; gone with the tests."""
    return TemporaryDirectory(prefix="flight-tests-var-")


def new_settings(kafka_bootstrap: str, **more: object) -> Settings:
    """Settings with topics of their own on the session's broker, made; no store but those that are named."""
    settings = Settings.read(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic_prefix=f"t{token_hex(4)}.",
        **{**NOWHERE, "var": scratch().name, "kafka_partitions": 4, **more},
    )
    kafka.ensure_topics(settings)
    return settings


def send_reports(settings: Settings, positions: list[Position]) -> None:
    """Puts reports into `flight.reports` as a feed does, and waits until Kafka has them all."""
    producer = kafka.producer(settings, **{"queue.buffering.max.messages": max(len(positions), 1)})
    for number, position in enumerate(positions):
        producer.produce(settings.topic(TOPIC_REPORTS), encode(position), position.icao24)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(30)
    if left:
        raise TimeoutError(f"{left} reports not acknowledged")


def records(settings: Settings, topic: str) -> list[Message]:
    """All that is committed in a topic now, each partition in its order."""
    reader = kafka.consumer(
        settings, group=f"reader-{token_hex(4)}", **{"group.protocol": "classic", "enable.partition.eof": True}
    )
    name = settings.topic(topic)
    partitions = reader.list_topics(name, timeout=10).topics[name].partitions
    reader.assign([TopicPartition(name, number, 0) for number in partitions])
    found: list[Message] = []
    ended = 0
    while ended < len(partitions):
        for message in reader.consume(10_000, 0.5):
            if message.error() is None:
                found.append(message)
            else:
                ended += 1
    reader.close()
    return found


def log_ends(settings: Settings, topic: str) -> dict[int, int]:
    """The offset at which each partition of a topic ends."""
    reader = kafka.consumer(settings, group=f"reader-{token_hex(4)}", **{"group.protocol": "classic"})
    name = settings.topic(topic)
    numbers = reader.list_topics(name, timeout=10).topics[name].partitions
    ends = kafka.end_offsets(reader, [TopicPartition(name, number) for number in numbers])
    reader.close()
    return {number: end for (_, number), end in ends.items()}
