"""`python -m flight_platform.metrics_page > docs/metrics.md`: every metric that a process of ours offers, from the
registry itself."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from flight_platform import telemetry

_HEAD: Final = """\
# Metrics

Every process serves `/metrics` for Prometheus: feed, track, live and history on `FLIGHT_METRICS_PORT` (`flight up`
gives each its port from 9101 on), the APIs on their own port, all on `FLIGHT_LISTEN_HOST`. Base units, and no label by
aircraft, callsign or key: what Prometheus holds does not grow with the traffic. Beside these are the metrics of Python
and of the process (`process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_start_time_seconds`, ...).

A process has values of its own part alone. A counter with an outcome, a reason or a code is absent until it has counted
one.

This page is made from the code: `python -m flight_platform.metrics_page > docs/metrics.md`.
"""
_SECTIONS: Final = {
    "flight_ingest_": "Feeds",
    "flight_consumer_": "Consumers: track, live, history",
    "flight_source_": "How far each hop is with each source: feed, track, live, history",
    "flight_dead_letters": "Dead letters: feed, track",
    "flight_live_": "Live servers: live, active API",
    "flight_history_": "Postgres: history",
    "flight_e2e_": "End to end: track, live, history",
    "flight_http_": "APIs",
    "flight_snapshot_": "Tiles and push: active API",
    "flight_stream_": "Streams: active API",
    "flight_": "Every process",
}

# What the rules of `deploy/prometheus/rules` make of HAProxy's counters: labels, and what it says.
RECORDED: Final = {
    "flight_ratelimit_rejections_total": ((), "Requests refused since they were too many: of a second, a day, at once"),
    "flight_auth_failures_total": (("reason",), "Requests refused for an unknown key, or for none of an operator"),
}


def metrics() -> list[MetricWrapperBase]:
    """All metrics of the platform, in the order of their definition."""
    return [value for value in vars(telemetry).values() if isinstance(value, MetricWrapperBase)]


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *_lines()]).rstrip() + "\n"


def _lines() -> Iterator[str]:
    sections: dict[str, list[str]] = {title: [] for title in _SECTIONS.values()}
    for metric in metrics():
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        title = next(title for prefix, title in _SECTIONS.items() if name.startswith(prefix))
        sections[title].append(_row(name, family.type, metric._labelnames, family.documentation))
    for title, rows in sections.items():
        if rows:
            yield from _table(title, rows)
    recorded = [_row(name, "counter", *about) for name, about in RECORDED.items()]
    yield from _table("The edge: recorded by Prometheus from HAProxy's own metrics", recorded)


def _row(name: str, kind: str, labels: Sequence[str], says: str) -> str:
    return f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {says} |"


def _table(title: str, rows: Sequence[str]) -> tuple[str, ...]:
    return (f"## {title}", "", "| name | type | labels | says |", "|---|---|---|---|", *rows, "")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what this program is for
