"""`python -m bench`: the whole comparison in one run, side by side, on this machine. See docs/benchmarks.md."""

import argparse
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import structlog
from confluent_kafka import KafkaException
from playwright.sync_api import Error as BrowserError
from rich.console import Console

from bench import (
    compaction,
    decode,
    feed,
    frames,
    history,
    latency,
    live,
    push,
    report,
    scaling,
    serving,
    shards,
    together,
    track,
)
from bench.machine import facts, load_average, say
from bench.run import Run, prepared
from flight_platform.embedded.tile38 import PROGRAM
from flight_platform.errors import FlightError

PARTS = (
    *("decode", "feed", "track", "live", "history", "compaction"),
    *("together", "latency", "variants", "scaling", "shards", "push", "serving", "frames"),
)
# A minute or more each: a quick run takes them only where they are asked for.
_LONG = frozenset({"variants", "scaling", "push", "frames"})
_UNPACED_UNKNOWN = 15_000
_FAILURES = (
    *(FlightError, OSError, RuntimeError, subprocess.TimeoutExpired),
    *(psycopg.Error, KafkaException, httpx.HTTPError, BrowserError),
)


def main() -> None:
    """Runs the parts, shows the tables, keeps the numbers."""
    words = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    signal.signal(signal.SIGTERM, _interrupt)
    wanted = words.only or [part for part in PARTS if not (words.quick and part in _LONG)]
    kinds = [words.live] if words.live else ["tile38", "stand-in"] if shutil.which(PROGRAM) else ["stand-in"]
    results: dict[str, Any] = {"quick": words.quick, "machine": facts(), "load_before": load_average()}
    results |= {"failed": {}, "stages": {}}
    try:
        _run(wanted, kinds, results)
    except KeyboardInterrupt:
        say("stopped; servers and processes are gone")
        results["failed"]["the rest"] = "stopped"
    except FlightError as error:
        sys.exit(str(error))
    if "tracks" not in results:
        sys.exit("stopped before anything was measured")
    results["load_after"] = load_average()
    report.show(results, Console(width=140))
    sys.stdout.write(f"\n{report.write(results)}\n")
    if results["failed"]:
        sys.exit(f"not measured: {', '.join(results['failed'])}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="The limits, the naive way and ours in one run, on real servers on free ports of this machine.",
        epilog="example: python -m bench --quick --only history --only live   (numbers: bench/results/*.json)",
    )
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds: within three minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be repeated")
    parser.add_argument("--live", choices=("tile38", "stand-in"), help="this live server alone; else all there are")
    return parser


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _run(wanted: list[str], kinds: list[str], results: dict[str, Any]) -> None:
    with prepared(quick=results["quick"], kinds=kinds) as run:
        results |= {"tracks": run.origin, "live_servers": [server.name for server in run.live]}
        _stages(run, wanted, results["stages"], results["failed"])
        _whole(run, wanted, kinds, results)
    say("done")


def _stages(run: Run, wanted: list[str], stages: dict[str, Any], failed: dict[str, str]) -> None:
    parts: dict[str, Callable[[Run], Any]] = {
        "decode": decode.measure,
        "feed": feed.measure,
        "track": track.measure,
        "live": live.measure,
        "history": history.measure,
    }
    for name in (name for name in parts if name in wanted):
        with _kept_apart(name, failed):
            found = parts[name](run)
            if isinstance(found, dict):
                stages |= {f"{name} ({server})": outcomes for server, outcomes in found.items()}
            else:
                stages[name] = found


def _whole(run: Run, wanted: list[str], kinds: list[str], results: dict[str, Any]) -> None:
    """What needs all processes; a quick run takes the first live server alone for it."""
    servers = run.live[:1] if run.quick else run.live
    unpaced: dict[str, float] = {}
    failed = results["failed"]
    if "compaction" in wanted:
        with _kept_apart("compaction", failed):
            results["compaction"] = compaction.measure(run)
    if "together" in wanted:
        with _kept_apart("together", failed):
            results["together"] = [together.measure(run, server) for server in servers]
            unpaced = {row["live_server"]: row["reports_per_s"] for row in results["together"]}
    if "latency" in wanted:
        with _kept_apart("latency", failed):
            results["latency"] = []
            for server in servers:
                results["latency"] += latency.measure(run, server, unpaced.get(server.name, _UNPACED_UNKNOWN))
    rate = _bearable(results)
    if "variants" in wanted:
        with _kept_apart("variants", failed):
            results["variants"] = latency.variants(run, run.live[0], rate)
    if "scaling" in wanted:
        with _kept_apart("scaling", failed):
            results["scaling"] = [row for server in servers for row in scaling.measure(run, server)]
    if "shards" in wanted:
        with _kept_apart("shards", failed):
            used = kinds[:1] if run.quick else kinds
            results["shards"] = [row for kind in used for row in shards.measure(run, kind, rate)]
    if "push" in wanted:
        with _kept_apart("push", failed):
            results["push"] = [push.measure(run, kind) for kind in (kinds[:1] if run.quick else kinds)]
    if "serving" in wanted:
        with _kept_apart("serving", failed):
            results["serving"] = [serving.measure(run, kind) for kind in (kinds[:1] if run.quick else kinds)]
    if "frames" in wanted:
        with _kept_apart("frames", failed):
            results["frames"] = frames.measure(run)


@contextmanager
def _kept_apart(part: str, failed: dict[str, str]) -> Iterator[None]:
    """A part that fails (a time limit on a busy machine) is told, and does not take the others with it."""
    try:
        yield
    except _FAILURES as error:
        failed[part] = str(error)
        say(f"{part} FAILED: {error}")


def _bearable(results: dict[str, Any]) -> int:
    """The highest of the usual rates that this machine has sustained in this run."""
    sustained = [row["rate_per_s"] for row in results.get("latency", []) if row["sustained"]]
    return max((rate for rate in sustained if rate <= 15_000), default=1_000)


if __name__ == "__main__":
    main()
