"""All processes at once: track, live and history between the servers, with the feeds that a measurement starts."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from bench.feed import FeedRun
from bench.measure import cpu_seconds
from bench.processes import Child
from bench.run import Run, pid_of
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.history.partitions import ensure_ahead
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.testing import wait_until

READY = {Stage.TRACK: "assigned", Stage.LIVE: "partitions_assigned", Stage.HISTORY: "partitions_placed"}
_START_S = 60
_WARM_AIRCRAFT, _WARM_TICKS = 1_000, 5  # the first transaction of a broker takes a second, its code is not compiled yet


@dataclass(slots=True)
class Platform:
    """The running processes; `spent` tells what each has used since it was asked last."""

    run: Run
    settings: Settings
    live: list[EmbeddedLive]
    postgres: psycopg.Connection
    children: dict[Stage, Child]
    warm_rows: int = 0  # in the stores before anything is measured
    _seen: dict[str, float] = field(default_factory=dict)

    def feed(self, *, aircraft: int, ticks: int, paced: bool, options: tuple[str, ...] = ()) -> FeedRun:
        """A feed process that has loaded its fleet and waits for the word."""
        feeding = FeedRun(self.run, self.settings, aircraft=aircraft, ticks=ticks, paced=paced, options=options)
        feeding.load()
        return feeding

    @property
    def database_url(self) -> str:
        """Where history is written."""
        return self.settings.postgres_url.get_secret_value()

    def spent(self) -> dict[str, float]:
        """Processor seconds of each process and server since the last call; the feeds tell their own."""
        pids = {str(stage): [child.pid] for stage, child in self.children.items()}
        pids["Kafka"], pids["PostgreSQL"] = [pid_of(self.run.kafka)], [pid_of(self.run.postgres)]
        pids["live server"] = [pid_of(server) for server in self.live]
        now = {name: sum(map(cpu_seconds, numbers)) for name, numbers in pids.items()}
        used = {name: value - self._seen.get(name, 0.0) for name, value in now.items()}
        self._seen = now
        return used

    def history_rows(self) -> int:
        """Rows that history has written since it was warm, by its own ledger."""
        row = self.postgres.execute("SELECT coalesce(sum(rows), 0) FROM ops.ledger").fetchone()
        return int(row[0]) - self.warm_rows if row else 0

    def warm_up(self) -> None:
        """Sends a few reports through everything."""
        feeding = self.feed(aircraft=_WARM_AIRCRAFT, ticks=_WARM_TICKS, paced=False)
        try:
            feeding.go()
            self.wait_for_rows(feeding.reports, _START_S)
            feeding.child.wait(_START_S)
        finally:
            feeding.child.stop()
        self.warm_rows = feeding.reports

    def wait_for_rows(self, rows: int, timeout_s: float) -> None:
        """Returns once history has so many rows."""
        deadline = time.monotonic() + timeout_s
        while (found := self.history_rows()) < rows:
            if time.monotonic() > deadline:
                raise TimeoutError(f"history has {found} of {rows} rows after {timeout_s:.0f} s")
            for child in self.children.values():
                child.check()
            time.sleep(0.02)


@contextmanager
def running(run: Run, live: list[EmbeddedLive], **options: tuple[str, ...]) -> Iterator[Platform]:
    """Starts track, live and history over empty stores and waits until each has its partitions."""
    with ExitStack() as stack:
        url = stack.enter_context(run.database())
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        ensure_ahead(connection, datetime.now(UTC), days=1)
        settings = run.settings(live, url)
        children = {
            stage: stack.enter_context(Child(stage, settings, run.folder, *options.get(stage, ()))) for stage in READY
        }
        for stage, event in READY.items():
            child = children[stage]
            wait_until(lambda child=child, event=event: child.said(event), _START_S, f"{child.log} says {event}")  # type: ignore[misc]
        platform = Platform(run, settings, live, connection, children)
        platform.warm_up()
        yield platform
