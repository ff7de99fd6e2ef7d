"""`python -m flight_platform.metrics_page > docs/metrics.md`: every metric that a process of ours offers, from the
registry itself."""

from collections.abc import Iterator
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
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        sections[title].append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    for title, rows in sections.items():
        if rows:
            yield from (f"## {title}", "", "| name | type | labels | says |", "|---|---|---|---|", *rows, "")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what this program is for
