"""Latency from `received_at` to visible, live and in history, at several rates and with what can be tuned.

The highest sustained rate is looked for: a share of what went through unpaced, less until the feed keeps its schedule,
the 99th percentile of both stores stays below two seconds, and none of the probes is missing two seconds after the end.
"""

from dataclasses import asdict, dataclass
from typing import Any

from bench.machine import say
from bench.observe import HistoryLook, LiveLook, Observer, schedule
from bench.platform import running
from bench.run import Run
from flight_platform.embedded.tile38 import EmbeddedLive

_WARM_TICKS = 2  # the first second mints all flights and fills the live server
_LATE_MS = 2_000
_LEAD_MS = 300  # between the word and a feed's first report
_SHARES = (0.85, 0.7, 0.55, 0.4)
_MOST_TICKS = 60
_MOST_BEHIND_S = 30


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is varied; as the platform has it unless told otherwise."""

    commit_interval_s: float = 0.05
    linger_ms: int = 5
    acks: str = "all"

    @property
    def track_options(self) -> tuple[str, ...]:
        return (f"--commit-interval={self.commit_interval_s}",)

    @property
    def feed_options(self) -> tuple[str, ...]:
        return (f"--linger={self.linger_ms}", f"--acks={self.acks}")


OURS = Knobs()
_VARIANTS = (
    Knobs(commit_interval_s=0.02),
    Knobs(commit_interval_s=0.1),
    Knobs(commit_interval_s=0.2),
    Knobs(linger_ms=0),
    Knobs(linger_ms=20),
    Knobs(acks="1"),
)
_QUICK_VARIANTS = (Knobs(commit_interval_s=0.2), Knobs(acks="1"))


def measure(run: Run, live: EmbeddedLive, unpaced_per_s: float) -> list[dict[str, Any]]:
    """The rates in turn, then the highest sustained one."""
    seconds = run.pick(5, 20)
    results = [at_rate(run, [live], rate, seconds) for rate in (1_000, 15_000)]
    for share in run.pick(_SHARES[:1], _SHARES):
        rate = max(int(unpaced_per_s * share) // 500 * 500, 500)
        found = at_rate(run, [live], rate, seconds)
        results.append({**found, "highest": found["sustained"]})
        if found["sustained"]:
            break
    return results


def variants(run: Run, live: EmbeddedLive, rate: int) -> list[dict[str, Any]]:
    """Commit interval, linger and acks, one at a time, at one rate."""
    seconds = run.pick(5, 15)
    wanted = run.pick(_QUICK_VARIANTS, (OURS, *_VARIANTS))
    return [at_rate(run, [live], rate, seconds, knobs) for knobs in wanted]


def at_rate(run: Run, live: list[EmbeddedLive], rate: int, seconds: int, knobs: Knobs = OURS) -> dict[str, Any]:
    """One stretch at one rate over empty stores; percentiles of both stores, and what it cost."""
    say(f"latency: {rate:,}/s for {seconds} s, {knobs}, {live[0].name} x {len(live)}")
    ticks = min(_WARM_TICKS + seconds, _MOST_TICKS)
    with running(run, live, track=knobs.track_options) as platform:
        feeding = platform.feed(aircraft=rate, ticks=ticks, paced=True, options=knobs.feed_options)
        observers: dict[str, Observer] = {}
        try:
            feeding.go(_LEAD_MS)
            platform.spent()
            probes = schedule(feeding, rate, _WARM_TICKS)
            observers["live"] = Observer("live", probes, LiveLook(live))
            observers["history"] = Observer("history", probes, HistoryLook(platform.database_url))
            for observer in observers.values():
                observer.start()
            told = feeding.child.wait(ticks + _MOST_BEHIND_S)
        finally:
            feeding.child.stop()
            _finish(observers)
        rows = max(platform.history_rows(), 1)
        costs = {"feed": told["client_cpu_s"], **platform.spent()}
    missing = sum(observer.seen.missing for observer in observers.values())
    stores = {name: observer.seen.summary() for name, observer in observers.items()}
    return {
        "rate_per_s": rate,
        "seconds": seconds,
        "knobs": asdict(knobs),
        "live_server": live[0].name,
        "live_shards": len(live),
        **stores,
        "feed_behind_ms": told["behind_ms"],
        "sustained": missing == 0 and max([told["behind_ms"], *(seen["p99"] for seen in stores.values())]) < _LATE_MS,
        "cpu_us_per_report": {name: round(used / rows * 1e6, 2) for name, used in costs.items()},
        "cores_per_10k": round(sum(costs.values()) / rows * 10_000, 3),
    }


def _finish(observers: dict[str, Observer]) -> None:
    """Lets the observers see the last reports, for as long as a sustained rate may take."""
    for observer in observers.values():
        if observer.ident is not None:
            observer.join(_LATE_MS / 1000)
    for observer in observers.values():
        observer.give_up.set()
        if observer.ident is not None:
            observer.join(10)
        if observer.problem is not None:
            raise observer.problem
