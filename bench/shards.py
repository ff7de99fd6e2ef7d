"""Live with 1, 2 and 4 servers: the limit and ours, and latency with every process running.

On a machine of few cores the servers share them, and so the curve ends where the cores do.
"""

from contextlib import ExitStack
from typing import Any

from bench import latency, live
from bench.machine import say
from bench.measure import alternate
from bench.run import Run, live_server

_SHARDS = (1, 2, 4)


def measure(run: Run, kind: str, rate: int) -> list[dict[str, Any]]:
    """One row for each number of servers."""
    results = []
    for count in _SHARDS:
        with ExitStack() as stack:
            servers = [stack.enter_context(live_server(run.folder, kind)) for _ in range(count)]
            say(f"live shards: {count} x {servers[0].name}")
            outcomes = alternate(live.ways(run, servers, naive=False), run.pick(1, run.rounds))
            limit, ours = (next(o for o in outcomes if o.role == role) for role in ("limit", "ours"))
            row = {
                "live_server": servers[0].name,
                "shards": count,
                "limit_per_s": round(limit.rate),
                "ours_per_s": round(ours.rate),
                "of_limit": ours.of_limit,
            }
            if not run.quick:
                row["latency"] = latency.at_rate(run, servers, rate, 10)
            results.append(row)
    return results
