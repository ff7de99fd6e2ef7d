"""A platform of its own, of which every process and server can be killed; each comes back at once, as under a
supervisor.

    recording ──► feed ──► Kafka ──► track ──► Kafka ─┬─► history ──► Postgres
                                                      └─► live ─────► live server
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from flight_platform import kafka
from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import EmbeddedServer, free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from streaming.growing import Quiet, grow
from tests.processes import StageProcess, new_settings

SERVERS: Final = ("kafka", "postgres", "live-server")
STAGES: Final = ("track", "history", "live")
FEED: Final = "feed"
ALL: Final = (*SERVERS, *STAGES, FEED)
AWAY_S: Final = 60.0  # what may be taken to bring a killed one back; Kafka takes 8

_AT_WORK: Final = {  # what it logs when it is
    "track": "assigned",
    "history": "partitions_placed",
    "live": "partitions_assigned",
    FEED: "recording",
}
_LOOK_S: Final = 0.2  # how often others are asked: they have better things to do


class Platform:
    """The processes and servers; `kills` counts."""

    def __init__(self, servers: dict[str, EmbeddedServer], settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.kills: Counter[str] = Counter()
        self.moved_ms = 0  # when aircraft moved to the partitions that they have now
        self._servers, self._folder = servers, folder
        self._answering: set[str] = set()  # servers that have answered since they were started
        self._processes = {name: self._start(name) for name in STAGES}

    def play(self, recording: Path, speed: float) -> None:
        """Begins to feed a recording."""
        self._played = ("replay", str(recording), "--name", "oracle", "--speed", str(speed))
        self._processes[FEED] = self._start(FEED)

    def has_played(self) -> bool:
        """Whether the feed has come to the end of its recording, and Kafka has all of it."""
        feed = self._processes[FEED]
        assert feed.exit_code in (None, 0), feed.log.read_text()[-2000:]
        return feed.exit_code == 0

    def wait_for_all(self) -> None:
        """Returns when each does its work; raises TimeoutError with the last words of who does not."""
        try:
            wait_for(lambda: all(map(self._is_at_work, ALL)), "all are at work")
        except TimeoutError as error:
            idle = [name for name in ALL if not self._is_at_work(name)]
            raise TimeoutError("\n".join([str(error), *map(self._last_words, idle)])) from None

    def kill(self, name: str) -> None:
        """Ends it as a crash does, and starts it again."""
        if name in SERVERS:
            self._servers[name].kill()
            self._answering.discard(name)
            self._servers[name].start()
        else:
            if name == FEED:
                self._feed_on()
            self._processes[name].kill()
            self._processes[name] = self._start(name)
        self.kills[name] += 1

    def grow(self, partitions: int) -> None:
        """Gives the topics more partitions, while the feed plays."""
        self.wait_for_all()
        self._feed_on()
        told = _Told()
        grow(self.settings, partitions, told)
        self.moved_ms = told.moved_ms

    def stop(self) -> dict[str, int]:
        """Ends the stages in good order; returns their exit codes."""
        return {name: self._processes[name].terminate() for name in STAGES}

    def clean_up(self) -> None:
        """Ends what still runs."""
        for process in self._processes.values():
            if process.alive:
                process.kill()

    def _start(self, name: str) -> StageProcess:
        arguments = self._played if name == FEED else ()
        return StageProcess(name, self.settings, self._folder, f"{name}-1", arguments)

    def _feed_on(self) -> None:
        """Plays the recording once more where it has ended: there must be something to die of, or to hold."""
        if self.has_played():
            self._processes[FEED] = self._start(FEED)
            wait_for(lambda: self._is_at_work(FEED), "the feed has begun again")

    def _is_at_work(self, name: str) -> bool:
        if name in SERVERS:
            return name in self._answering or self._answers(name)
        process = self._processes[name]
        assert process.exit_code in ((None, 0) if name == FEED else (None,)), process.log.read_text()[-2000:]
        return process.said(_AT_WORK[name]) > 0

    def _last_words(self, name: str) -> str:
        log = self._servers[name].log_path if name in SERVERS else self._processes[name].log
        return f"{name}:\n{log.read_text()[-2000:]}"

    def _answers(self, name: str) -> bool:
        server = self._servers[name]
        if server.pid is None:  # it did not come up: a supervisor tries again
            server.start()
        if server.answers():
            self._answering.add(name)
        return name in self._answering


class _Told(Quiet):
    """When the aircraft moved: after all that came to where they were, before all that comes to where they are."""

    moved_ms = 0

    def step(self, text: str) -> AbstractContextManager[None]:
        if text.startswith("what is believed"):
            self.moved_ms = kafka.now_ms()
        return super().step(text)


def wait_for(predicate: Callable[[], object], what: str, timeout_s: float = AWAY_S) -> None:
    """Returns once it is true, asking a few times a second. A machine that has other things to do has more time."""

    def look() -> bool:
        if predicate():
            return True
        time.sleep(_LOOK_S)
        return False

    wait_until(look, timeout_s * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), what)


@contextmanager
def platform(server_folder: Path, folder: Path) -> Iterator[Platform]:
    """All of it, with servers that are nobody else's."""
    broker = EmbeddedKafka(server_folder / "kafka-killable", free_port())
    postgres = EmbeddedPostgres(server_folder / "postgres-killable", free_port(), durable=False)
    live_server = EmbeddedLive(folder / "live-server", free_port())
    with broker, postgres, live_server, migrated_database(postgres) as urls:
        settings = new_settings(
            broker.bootstrap, tile38_urls=(live_server.url,), live_window_s=3600, var=folder / "var", **urls
        )
        made = Platform(dict(zip(SERVERS, (broker, postgres, live_server), strict=True)), settings, folder)
        try:
            yield made
        finally:
            made.clean_up()
            for server in made._servers.values():  # to drop its database, Postgres has to be there
                server.start()
                server.wait_ready()
