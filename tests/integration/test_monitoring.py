"""Real Prometheus and Alertmanager, configured as by `flight up`: a Postgres that stops is named within 30 s."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import start_http_server

from cli.monitoring import configure
from cli.programs import ALERTMANAGER, PROMETHEUS, ROOT, Program, programs
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.history.migrate import migrate
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.targets import announced
from flight_platform.testing import wait_until
from flight_platform.watch import alertmanager
from flight_platform.watch.dependencies import watched
from flight_platform.watch.heartbeats import Heartbeat

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200), pytest.mark.alone]

PROMISE_S = 30


def ask(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # ours
            return json.load(answer)
    except OSError:
        return []


@contextmanager
def running(program: Program, log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(program.arguments, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def history_stalls() -> dict[str, Any]:
    """What Dagster would say of a history that cannot write."""
    return {
        "key": "stall:history",
        "hop": "history",
        "source": "",
        "severity": "critical",
        "summary": "history has stopped",
        "since": datetime.now(UTC),
        "last_good": None,
        "closed_at": None,
        "cause": "store_unreachable",
        "runbook": "stall-history",
        "detail": {},
    }


def test_a_postgres_that_stops_is_one_page_within_30_s(server_folder: Path, tmp_path: Path) -> None:
    if not (shutil.which(PROMETHEUS) and shutil.which(ALERTMANAGER)):
        pytest.skip("Prometheus and Alertmanager are not installed (Debian: prometheus, prometheus-alertmanager)")
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(server_folder / "watched", free_port(), durable=False))
        migrate(postgres.url())
        metrics, by_hand = (start_http_server(0, addr="127.0.0.1")[0] for _ in range(2))
        for server in (metrics, by_hand):
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        settings = Settings.read(
            postgres_url=postgres.url(),
            var=tmp_path,
            kafka_bootstrap=f"127.0.0.1:{free_port()}",  # nobody is there
            prometheus_port=free_port(),
            alertmanager_port=free_port(),
            metrics_port=metrics.server_port,
        )
        beat = Heartbeat(settings, Stage.TRACK)
        beat.start()
        stack.callback(beat.stop)
        stack.enter_context(watched(settings))
        listed = programs(settings)
        configure(settings, listed)
        for program in listed:
            if program.group == "monitoring":
                stack.enter_context(running(program, tmp_path / f"{program.name}.log"))
        hub = f"http://127.0.0.1:{settings.alertmanager_port}"

        def known(*, inhibited: bool = False) -> set[str]:
            found = ask(f"{hub}/api/v2/alerts?silenced=false&active=true&inhibited={str(inhibited).lower()}")
            return {alert["labels"]["alertname"] for alert in found}

        wait_until(lambda: {"Watchdog", "KafkaDown"} <= known(), 60, "what is wrong from the first")
        assert "PostgresDown" not in known()

        prometheus = f"http://127.0.0.1:{settings.prometheus_port}"
        started_by_hand = settings.model_copy(update={"instance": "feed-by-hand"})

        def is_scraped() -> bool:
            found = ask(f"{prometheus}/api/v1/targets?state=active") or {"data": {"activeTargets": []}}
            return ("feed-by-hand", "up") in [
                (target["labels"]["process"], target["health"]) for target in found["data"]["activeTargets"]
            ]

        with announced(started_by_hand, Stage.FEED, by_hand.server_port):
            wait_until(is_scraped, 60, "a feed that was started by hand")
        wait_until(lambda: not is_scraped(), 60, "its end")

        for panel in json.loads((ROOT / "deploy" / "grafana" / "flight.json").read_text())["panels"]:
            for target in panel.get("targets", ()):
                asked = urllib.parse.urlencode({"query": target["expr"]})
                answer = ask(f"{prometheus}/api/v1/query?{asked}")
                assert answer, f"not understood: {target['expr']}"

        postgres.stop()
        wait_until(lambda: "PostgresDown" in known(), PROMISE_S, "the alert that names Postgres")

        assert alertmanager.post(hub, [history_stalls()], "docs/runbooks")
        wait_until(lambda: "Stall" in known(inhibited=True), 60, "the incident of Dagster")
        assert "Stall" not in known()  # one page for one cause
