"""Each process, really run, tells what docs/metrics.md says of its part."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flight_platform import kafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.testing import migrated_database, wait_until
from tests.integration.serving.processes import reader
from tests.integration.sources.web import Asked, Said, web
from tests.processes import StageProcess, new_settings

pytestmark = [pytest.mark.integration, pytest.mark.alone]

CONSUMER = {
    "flight_consumer_records",
    "flight_consumer_batch_duration_seconds",
    "flight_consumer_lag_records",
    "flight_consumer_watermark_timestamp_seconds",
    "flight_consumer_rebalances",
    "flight_consumer_paused_partitions",
    "flight_e2e_latency_seconds",
    "flight_source_watermark_timestamp_seconds",
}
# What each must tell once reports flow; families, so without the `_total` of counters.
TOLD = {
    "feed": {
        "flight_ingest_records",
        "flight_ingest_polls",
        "flight_ingest_poll_duration_seconds",
        "flight_ingest_throttled",
        "flight_ingest_event_timestamp_seconds",
        "flight_ingest_last_success_timestamp_seconds",
        "flight_ingest_held_records",
        "flight_ingest_overflowed_records",
        "flight_source_watermark_timestamp_seconds",
        "flight_dead_letters",
    },
    "track": CONSUMER | {"flight_dead_letters"},
    "live": CONSUMER | {"flight_live_objects", "flight_live_command_duration_seconds"},
    "history": CONSUMER | {"flight_history_rows", "flight_history_write_duration_seconds"},
    "active": {
        "flight_http_requests",
        "flight_http_request_duration_seconds",
        "flight_live_command_duration_seconds",
    },
    "history API": {"flight_http_requests", "flight_http_request_duration_seconds"},
}


def families(url: str) -> dict[str, set[str]]:
    """The metrics of the platform that a process has values of, each with its outcomes, reasons or sources."""
    told = text_string_to_metric_families(httpx.get(url, timeout=5).text)

    def told_apart(labels: dict[str, str]) -> str:
        return next((labels[name] for name in ("outcome", "reason", "source") if name in labels), "")

    return {
        family.name: {told_apart(sample.labels) for sample in family.samples}
        for family in told
        if family.name.startswith("flight_") and family.samples
    }


def receiver() -> Any:
    """A receiver that hears one aircraft fly on, and of two that cannot be: too old, and beyond the pole."""
    start_ms = kafka.now_ms() - 60_000
    polls = 0

    def answer(_asked: Asked) -> Said:
        nonlocal polls
        polls += 1
        entries = [
            {"hex": "3c6444", "lat": 50 + polls // 2 * 0.001, "lon": 8.5, "seen_pos": 0},  # each place twice
            {"hex": "3c6445", "lat": 50.5, "lon": 8.5, "seen_pos": 200_000},
            {"hex": "3c6446", "lat": 95.0, "lon": 8.5, "seen_pos": 0},
        ]
        now_s = (start_ms + polls // 2 * 1000) / 1000
        return Said(content=json.dumps({"now": now_s, "messages": polls, "aircraft": entries}).encode())

    return web(answer)


def test_each_process_tells_its_part(kafka_bootstrap: str, postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with (
        migrated_database(postgres_server) as urls,
        EmbeddedLive(tmp_path / "live-server", free_port()) as live_server,
        receiver() as receiving,
    ):
        servers = {"tile38_urls": (live_server.url,), "live_window_s": 600, "var": tmp_path / "var", **urls}
        settings = new_settings(kafka_bootstrap, **servers)
        undecodable = kafka.producer(settings)
        undecodable.produce(settings.topic("flight.reports"), b"\xff", "3c6444")
        assert undecodable.flush(10) == 0
        ports = {name: free_port() for name in ("feed", "track", "live", "history")}
        arguments = {"feed": ("readsb", "--url", receiving.url, "--interval", "0.1")}
        running = [
            StageProcess(
                name,
                settings.model_copy(update={"metrics_port": port}),
                tmp_path,
                arguments=arguments.get(name, ()),
            )
            for name, port in ports.items()
        ]
        try:
            with reader("active", **servers) as active, reader("history", **servers) as history:
                addresses = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
                addresses["active"] = str(active.client.base_url.join("/metrics"))
                addresses["history API"] = str(history.client.base_url.join("/metrics"))
                active.get("/v1/live")
                for name, expected in TOLD.items():
                    wait_until(lambda: _has(addresses[name], expected), 40, f"{name} tells")  # noqa: B023
                told = {name: families(address) for name, address in addresses.items()}
        finally:
            for process in running:
                process.kill()
    assert {"accepted", "duplicate", "late", "rejected"} <= told["feed"]["flight_ingest_records"]
    assert told["feed"]["flight_dead_letters"] >= {"too_late", "out_of_range"}
    for hop in ("feed", "track", "live", "history"):
        assert told[hop]["flight_source_watermark_timestamp_seconds"] == {"readsb"}
    assert told["history"]["flight_history_rows"] >= {"inserted", "conflict", "quarantined", "late"}
    documented = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    assert {name for process in told.values() for name in process if f"`{name}" not in documented} == set()


def _has(address: str, expected: set[str]) -> bool:
    try:
        return expected <= families(address).keys()
    except httpx.TransportError:
        return False
