"""What `make demo` promises, on free ports and with a small recording of our own: up, positions flow, alerts, down.

The platform is started once for all tests of this module, by the command that people use.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.processes import alive, descendants
from cli.programs import ROOT
from cli.supervisor import Supervisor
from flight_platform.embedded.process import free_port
from flight_platform.settings import Settings

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600), pytest.mark.alone]

AIRCRAFT = 6
LENGTH_S = 600
STALL_THRESHOLD_S = 6


@dataclass(frozen=True)
class Platform:
    """The running platform: its settings, and its command."""

    settings: Settings
    environment: dict[str, str]
    recording: Path

    def feed(self) -> subprocess.Popen[bytes]:
        """A feed that plays the recording as the present."""
        words = ("feed", "replay", str(self.recording), "--rebase", "now", "--speed", "1", "--loop", "--name", "test")
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL)

    def flight(self, *words: str) -> str:
        """What a command says; it must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, f"flight {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=500, check=False
        )

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.active_port}{path}", timeout=5) as answer:
            return json.load(answer)

    def dagster(self, query: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings.dagster_port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # ours
            return json.load(answer)["data"]


def write_recording(path: Path) -> None:
    """Aircraft that fly east, each on a latitude of its own, 450 knots, a report a second."""
    began = datetime(2024, 5, 1, 12, tzinfo=UTC)
    degrees_a_second = 450 / 3600 / 60 / math.cos(math.radians(47))
    with path.open("w") as lines:
        for second in range(LENGTH_S):
            for number in range(AIRCRAFT):
                report = {
                    "icao24": f"4b00{number:02x}",
                    "time": (began + timedelta(seconds=second)).isoformat().replace("+00:00", "Z"),
                    "latitude": 47 + number / 10,
                    "longitude": round(6 + second * degrees_a_second, 6),
                    "altitude_ft": 36000,
                    "ground_speed_kt": 450.0,
                    "track_deg": 90.0,
                    "callsign": f"TEST{number}",
                }
                lines.write(json.dumps(report) + "\n")


def new_environment(var: Path) -> dict[str, str]:
    postgres = free_port()
    own = {
        "VAR": str(var),
        "KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "TILE38_URLS": f"redis://127.0.0.1:{free_port()}",
        "POSTGRES_URL": f"postgresql://flight:flight@127.0.0.1:{postgres}/flight",
        "ANALYST_URL": f"postgresql://analyst:analyst@127.0.0.1:{postgres}/flight",
        "DAGSTER_URL": f"postgresql://flight:flight@127.0.0.1:{postgres}/dagster",
        "ACTIVE_PORT": str(free_port()),
        "GRPC_PORT": str(free_port()),
        "HISTORY_PORT": str(free_port()),
        "DAGSTER_PORT": str(free_port()),
        "EDGE_PORT": str(free_port()),
        "EDGE_TLS_PORT": str(free_port()),
        "EDGE_METRICS_PORT": str(free_port()),
        "PROMETHEUS_PORT": str(free_port()),
        "ALERTMANAGER_PORT": str(free_port()),
        "METRICS_PORT": "0",
        "STALL_THRESHOLD_S": str(STALL_THRESHOLD_S),
        "PARTITIONS_AHEAD_DAYS": "1",
        "CONFIG": str(var / "no-such-file.toml"),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLIGHT_")}
    return inherited | {f"FLIGHT_{name}": value for name, value in own.items()}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="flight-acceptance-"))
    folder.chmod(0o711)  # PostgreSQL does not run as root: its account must come in
    environment = new_environment(folder / "var")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = Settings.read()
    running = Platform(settings, environment, folder / "recording.jsonl")
    write_recording(running.recording)
    try:
        running.flight("up")
        yield running
    finally:
        running.run("down")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def feed(platform: Platform) -> Iterator[subprocess.Popen[bytes]]:
    process = platform.feed()
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(30)


@pytest.fixture(autouse=True)
def _fed(feed: subprocess.Popen[bytes]) -> None:
    """The present is played while the tests run."""


def until(found: Callable[[], Any], timeout_s: float = 120) -> Any:
    """What `found` gives, once it gives something."""
    end = time.monotonic() + timeout_s
    while not (answer := found()):
        assert time.monotonic() < end, f"not within {timeout_s:g} s"
        time.sleep(0.2)
    return answer


def test_aircraft_move(platform: Platform) -> None:
    def eastmost() -> dict[str, float]:
        flights = platform.get("/v1/live?bbox=5,46,12,49")["flights"]
        return {flight["flight_id"]: flight["longitude"] for flight in flights}

    before = until(lambda: found if len(found := eastmost()) == AIRCRAFT else None)
    time.sleep(2)
    after = eastmost()
    assert after.keys() == before.keys()
    assert all(after[flight_id] > before[flight_id] for flight_id in before)


def test_every_hop_is_seconds_old(platform: Platform) -> None:
    def fresh() -> dict[str, float] | None:
        hops = json.loads(platform.flight("status", "--json"))["hops"]
        ages = {hop["stage"]: hop["watermark_age_s"] for hop in hops if hop["watermark_age_s"] is not None}
        return ages if {"feed", "track", "live", "history"} <= ages.keys() else None

    ages = until(fresh)
    assert {stage: age for stage, age in ages.items() if age > 5} == {}


def test_an_analyst_sees_rows_that_grow(platform: Platform) -> None:
    def count() -> int:
        return int(json.loads(platform.flight("sql", "--json", "SELECT count(*) AS n FROM positions"))[0]["n"])

    before = until(count)
    until(lambda: count() > before)
    refused = platform.run("sql", "DELETE FROM positions")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1


def test_nothing_was_refused(platform: Platform) -> None:
    assert json.loads(platform.flight("dead-letters", "list", "--json"))["counts"] == {}


def test_doctor_finds_nothing_wrong(platform: Platform) -> None:
    assert json.loads(platform.flight("doctor", "--json"))["ok"] is True


def test_dagster_shows_the_streams_as_fresh(platform: Platform) -> None:
    query = """{assetOrError(assetKey: {path: ["history", "positions"]}) {... on Asset {
        assetMaterializations(limit: 1) {timestamp}}}}"""

    def newest() -> Any:
        return platform.dagster(query)["assetOrError"].get("assetMaterializations")

    materialized_ms = int(until(newest)[0]["timestamp"])
    assert time.time() - materialized_ms / 1000 < 120


def test_a_second_up_says_that_it_runs(platform: Platform) -> None:
    assert "runs already" in platform.flight("up")


def test_a_silent_source_raises_one_alert_and_one_all_clear(platform: Platform) -> None:
    lines = platform.flight("stall", "18").splitlines()
    alerts = [line for line in lines if "ALERT" in line]
    clears = [line for line in lines if "ALL CLEAR" in line]
    assert len(alerts) == len(clears) == 1, lines
    assert "source test" in alerts[0]


def test_what_the_silent_source_could_not_give_is_a_gap(platform: Platform) -> None:
    def ended() -> int:
        question = "SELECT count(*) AS n FROM gaps WHERE source = 'test' AND to_time > from_time"
        return int(json.loads(platform.flight("sql", "--json", question))[0]["n"])

    assert until(ended) == 1


def test_down_leaves_nothing_behind(platform: Platform, feed: subprocess.Popen[bytes]) -> None:
    feed.terminate()
    assert feed.wait(20) == 0
    supervisor = Supervisor(platform.settings)
    pids = [supervisor.pid(), *descendants(supervisor.pid())]
    assert len(pids) > 11
    assert "all is stopped" in platform.flight("down")
    assert [pid for pid in pids if alive(pid)] == []
    assert "nothing runs" in platform.flight("down")
