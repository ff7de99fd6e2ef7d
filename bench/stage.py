"""`python -m bench.stage STAGE`: a process of the platform as it is, with what a measurement varies set from outside.

What is varied are constants of the platform, not settings: nobody but a measurement needs them otherwise. The feed
gets the bench's fleet as its source.
"""

import argparse
import gc
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench import tracks
from bench.measure import clocked
from flight_platform import kafka
from flight_platform.kafka import now_ms
from flight_platform.model import Position
from flight_platform.settings import Settings
from streaming import feed, history, live, track
from streaming.sources.base import Batch

_SLOT_S = 0.02  # a paced feed passes on what has fallen due in so long
_MOST = 2_000


class FleetSource:
    """A fleet on the air: each aircraft reports once a second, evenly spread; or all of it as fast as it goes.

    `start_ms` is when tick 0 begins; paced, it may be set until the first batch. `began` is when the first batch left,
    `behind_ms` how far it was behind its own schedule at the end.
    """

    name = tracks.SOURCE
    repeatable = True

    def __init__(self, fleet: tracks.Fleet, ticks: int, start_ms: int, *, paced: bool) -> None:
        self._fleet, self._ticks, self.start_ms, self._paced = fleet, ticks, start_ms, paced
        self._made = [] if paced else list(self._all())
        self.began = 0.0
        self.behind_ms = 0

    def __len__(self) -> int:
        return self._ticks * len(self._fleet)

    def _all(self) -> Iterator[Batch]:
        """Everything, made beforehand: what a source's own decoding costs is not measured here."""
        positions: list[Position] = []
        for position in self._fleet.ticks(0, self._ticks, self.start_ms):
            positions.append(position)
            if len(positions) == _MOST:
                yield Batch(positions=positions, originals=list(positions))
                positions = []
        if positions:
            yield Batch(positions=positions, originals=list(positions))

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports."""
        self.began = time.time()
        if not self._paced:
            yield from self._made
            return
        size, done = len(self._fleet), 0
        while done < len(self) and not stop.is_set():
            now = now_ms()
            due = min(max((now - self.start_ms) * size // 1000, 0), len(self))
            if due <= done:
                stop.wait(_SLOT_S - time.time() % _SLOT_S)
                continue
            until = min(due, done + _MOST)
            positions = [self._report(place, now) for place in range(done, until)]
            yield Batch(positions=positions, originals=list(positions), clock_ms=now)
            done = until
        self.behind_ms = max(now_ms() - self.start_ms - self._ticks * 1000, 0)

    def _report(self, place: int, now: int) -> Position:
        tick, number = divmod(place, len(self._fleet))
        time_ms = self.start_ms + tick * 1000 + number * 1000 // len(self._fleet)
        return self._fleet.aircraft[number].report(tick, time_ms, now)


def run_feed(settings: Settings, words: argparse.Namespace) -> dict[str, Any]:
    """The platform's feed over the fleet; what it took."""
    fleet = tracks.Fleet(tracks.load(words.tracks), words.aircraft, words.first_address)
    source = FleetSource(fleet, words.ticks, words.start_ms, paced=words.paced)
    gc.freeze()  # no source holds all of its reports: the collector need not walk over them
    words.ready.touch()
    while not words.go.exists():
        time.sleep(0.005)
    source.start_ms = int(words.go.read_text())
    with clocked(len(source), words.server) as sample:
        feed.run(settings, source)
    return {
        "reports": sample.reports,
        "seconds": time.time() - source.began,
        "client_cpu_s": sample.client_cpu_s,
        "server_cpu_s": sample.server_cpu_s,
        "began": source.began,
        "behind_ms": source.behind_ms,
    }


def main() -> None:
    """One stage, until it ends or is told to."""
    parser = argparse.ArgumentParser(prog="python -m bench.stage", description=__doc__.partition("\n")[0])
    parser.add_argument("stage", choices=("feed", "track", "live", "history"))
    parser.add_argument("--tell", type=Path, required=True, help="where it says what it took, as JSON")
    parser.add_argument("--commit-interval", type=float, help="track: seconds between two transactions")
    parser.add_argument("--linger", type=int, help="feed: librdkafka's linger.ms")
    parser.add_argument("--acks", choices=("1", "all"), default="all", help="feed: 1 gives up idempotence")
    parser.add_argument("--tracks", type=Path)
    parser.add_argument("--aircraft", type=int)
    parser.add_argument("--ticks", type=int)
    parser.add_argument("--first-address", type=int)
    parser.add_argument("--start-ms", type=int)
    parser.add_argument("--paced", action="store_true")
    parser.add_argument("--ready", type=Path)
    parser.add_argument("--go", type=Path)
    parser.add_argument("--server", type=int, action="append", default=[], help="process whose time counts as well")
    words = parser.parse_args()
    settings = Settings.read()
    if words.commit_interval is not None:
        track._BATCH_S = words.commit_interval  # type: ignore[misc]
    if words.stage == "feed":
        more: dict[str, Any] = {} if words.linger is None else {"linger.ms": words.linger}
        if words.acks == "1":
            more |= {"acks": 1, "enable.idempotence": False}
        kafka.producer = partial(kafka.producer, **more)
        words.tell.write_text(json.dumps(run_feed(settings, words)))
        return
    {"track": track.run, "live": live.run, "history": history.run}[words.stage](settings)


if __name__ == "__main__":
    main()
