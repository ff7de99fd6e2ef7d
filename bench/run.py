"""One run: its servers, its tracks, and what each measurement takes from it. It measures nothing itself."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench import tracks
from bench.machine import say
from flight_platform import kafka
from flight_platform.codec import encode, stamp_flight_id
from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.maven import CHECKOUT
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.model import address_of, make_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database

RECORDING = CHECKOUT / "var" / "downloads" / "quickstart.json.gz"
PARTITIONS = 4
_T = TypeVar("_T")


@dataclass(slots=True)
class Run:
    """What all measurements share. `live` has the live servers that are measured: Tile38 where it is, the stand-in."""

    folder: Path
    quick: bool
    rounds: int
    stretches: list[tracks.Stretch]
    origin: str  # of the tracks
    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres
    live: list[EmbeddedLive]
    _addresses: int = field(default=0)

    def pick(self, quick: _T, full: _T) -> _T:
        """A size for a quick or for a full run."""
        return quick if self.quick else full

    @property
    def stretches_file(self) -> Path:
        """Where other processes of this run find the tracks."""
        return self.folder / "tracks.json"

    def take_addresses(self, count: int) -> int:
        """So many addresses that no other measurement uses; the first of them."""
        self._addresses += count
        return tracks.FIRST_ADDRESS + self._addresses - count

    def tracked(self, count: int, ticks: int, start_ms: int | None = None) -> list[bytes]:
        """Tracked reports as Kafka carries them, in the order of time: `count / ticks` aircraft."""
        fleet = tracks.Fleet(self.stretches, count // ticks)
        start_ms = kafka.now_ms() - ticks * 1000 if start_ms is None else start_ms
        second = start_ms // 1000
        return [
            stamp_flight_id(encode(report), make_flight_id(address_of(report.icao24), second))
            for report in fleet.ticks(0, ticks, start_ms)
        ]

    def settings(self, live: list[EmbeddedLive], postgres_url: str) -> Settings:
        """Settings with topics of their own, made."""
        settings = Settings.read(
            kafka_bootstrap=self.kafka.bootstrap,
            kafka_topic_prefix=f"bench{secrets.token_hex(3)}.",
            kafka_partitions=PARTITIONS,
            tile38_urls=",".join(server.url for server in live),
            postgres_url=postgres_url,
            var=self.folder / "var",
        )
        kafka.ensure_topics(settings)
        return settings

    @contextmanager
    def database(self) -> Iterator[str]:
        """A migrated database of its own."""
        with migrated_database(self.postgres) as urls:
            yield urls["postgres_url"]


def pid_of(server: EmbeddedKafka | EmbeddedPostgres | EmbeddedLive) -> int:
    """The process of a server that runs."""
    if server.pid is None:
        raise RuntimeError(f"{server.title} has ended; its log: {server.log_path}")
    return server.pid


@contextmanager
def live_server(folder: Path, kind: str) -> Iterator[EmbeddedLive]:
    """A live server of that kind, empty."""
    with EmbeddedLive(folder / f"live-{secrets.token_hex(3)}", free_port(), kind) as server:  # type: ignore[arg-type]
        yield server


@contextmanager
def prepared(*, quick: bool, kinds: list[str]) -> Iterator[Run]:
    """Starts the servers and makes the workload; leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="flight-bench-"))
    folder.chmod(0o711)  # PostgreSQL's account must be able to pass
    try:
        began = time.monotonic()
        say("tracks: " + (f"the recording {RECORDING.name}" if RECORDING.is_file() else "generated"))
        stretches = tracks.recorded(RECORDING) if RECORDING.is_file() else tracks.generated()
        tracks.save(stretches, folder / "tracks.json")
        say(f"tracks: {len(stretches)} stretches of {tracks.LENGTH} reports in {time.monotonic() - began:.1f} s")
        say(f"servers: Kafka, PostgreSQL, {', '.join(kinds)}")
        with (
            EmbeddedKafka(folder / "kafka", free_port()) as broker,
            EmbeddedPostgres(folder / "postgres", free_port()) as postgres,
            ExitStack() as stack,
        ):
            live = [stack.enter_context(live_server(folder, kind)) for kind in kinds]
            origin = "recording" if RECORDING.is_file() else "generated"
            yield Run(folder, quick, 3 if quick else 5, stretches, origin, broker, postgres, live)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
