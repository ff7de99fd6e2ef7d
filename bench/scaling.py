"""One process of each stage, three, one again: what goes through, and what waits meanwhile.

    1 feed, track, live, history  ──►  3 of each  ──►  1 of each        the same reports in all, the same stores

Nothing is restarted in between: the first of each runs on, the others join and leave, as an operator would have it. The
feeds give all they can, so that the rate is what the stages and the servers take. On a machine whose cores are all at
work with one of each, three win nothing, and what the table shows is the price of sharing.
"""

import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import psycopg

from bench.machine import say
from bench.platform import READY, Platform, running
from bench.processes import Child
from bench.run import Run
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.testing import wait_until

_TICKS = 10
_MORE = 2  # of each stage
_TIME_LIMIT_S = 90
_LOOK_S = 0.2
_LAG = "SELECT stage, sum(lag_records)::bigint FROM ops.heartbeats GROUP BY stage"


def measure(run: Run, live: EmbeddedLive) -> list[dict[str, Any]]:
    """A row for each number of processes, in the order in which they were had."""
    say(f"scaling: 1, {1 + _MORE}, 1 of each: {live.name}")
    with running(run, [live]) as platform:
        rows = [_at(platform, live, 1)]
        with ExitStack() as stack:
            began = time.monotonic()
            added = [
                stack.enter_context(Child(stage, platform.settings, run.folder))
                for stage in READY
                for _ in range(_MORE)
            ]
            for child in added:
                wait_until(lambda child=child: child.said(READY[child.stage]), _TIME_LIMIT_S, f"{child.log}: a share")  # type: ignore[misc]
            joined_s = round(time.monotonic() - began, 1)
            rows.append(_at(platform, live, 1 + _MORE) | {"joined_s": joined_s})
        rows.append(_at(platform, live, 1))
    return rows


def _at(platform: Platform, live: EmbeddedLive, processes: int) -> dict[str, Any]:
    """All reports through so many of each."""
    aircraft = platform.run.pick(3_000, 12_000)
    before = platform.history_rows()
    feeds = [platform.feed(aircraft=aircraft // processes, ticks=_TICKS, paced=False) for _ in range(processes)]
    reports = sum(feeding.reports for feeding in feeds)
    try:
        with _Lag(platform.database_url) as lag:
            began = time.monotonic()
            for feeding in feeds:
                feeding.go()
            platform.wait_for_rows(before + reports, _TIME_LIMIT_S)
            seconds = time.monotonic() - began
        fed = [feeding.child.wait(_TIME_LIMIT_S) for feeding in feeds]
    finally:
        for feeding in feeds:
            feeding.child.stop()
    return {
        "live_server": live.name,
        "processes": processes,
        "reports": reports,
        "reports_per_s": round(reports / seconds),
        "feed_reports_per_s": round(sum(told["reports"] / told["seconds"] for told in fed)),
        "highest_lag": dict(lag.highest),
    }


class _Lag(threading.Thread):
    """Looks at what the processes say of their lag, as `flight status` does."""

    def __init__(self, url: str) -> None:
        super().__init__(name="lag", daemon=True)
        self.highest: Counter[str] = Counter()
        self._connection = psycopg.connect(url, autocommit=True)
        self._end = threading.Event()

    def __enter__(self) -> "_Lag":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()
        self._connection.close()

    def run(self) -> None:
        while not self._end.wait(_LOOK_S):
            for stage, records in self._connection.execute(_LAG).fetchall():
                self.highest[stage] = max(self.highest[stage], records or 0)
