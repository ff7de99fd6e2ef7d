"""Rules, routes and inhibition of Prometheus and Alertmanager, by their own tools; and that each alert has its page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from flight_platform.metrics_page import RECORDED

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS, ALERTMANAGER = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "alertmanager"
RUNBOOKS = ROOT / "docs" / "runbooks"


def tool(name: str, *words: str | Path) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    done = subprocess.run([name, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def rules(kind: str = "alert") -> list[dict[str, dict[str, str]]]:
    files = [yaml.safe_load(path.read_text()) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return [rule for rule in found if kind in rule]


def test_rules_and_configuration_are_sound() -> None:
    tool("promtool", "check", "rules", *(PROMETHEUS / "rules").glob("*.yml"))
    tool("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    tool("amtool", "check-config", ALERTMANAGER / "alertmanager.yml")


def test_rules_fire_when_they_should_and_not_otherwise() -> None:
    tool("promtool", "test", "rules", *(PROMETHEUS / "tests").glob("*.yml"))


def test_what_is_recorded_is_tested_and_on_the_page_of_metrics() -> None:
    recorded = {str(rule["record"]) for rule in rules("record")}
    assert recorded == RECORDED.keys()
    tested = (PROMETHEUS / "tests" / "edge_test.yml").read_text()
    assert {name for name in recorded if f"expr: {name}" in tested} == recorded
    backends = (ROOT / "docs" / "edge.md").read_text()
    for rule in rules("record"):
        (reasons,) = re.findall(r"refused-\(([a-z|]+)\)", str(rule["expr"]))
        assert all(f"`refused-{reason}`" in backends for reason in reasons.split("|"))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=Watchdog severity=none", "dead-man"),
        ("alertname=PostgresDown severity=critical cause=store_unreachable", "pager"),
        ("alertname=Stall severity=critical cause=source_stalled source=paris", "pager"),
        ("alertname=Run severity=warning", "operators"),
    ],
)
def test_an_alert_goes_to_who_has_to_know(labels: str, receiver: str) -> None:
    words = ("config", "routes", "test", f"--config.file={ALERTMANAGER / 'alertmanager.yml'}")
    assert tool("amtool", *words, *labels.split()) == receiver


def test_each_rule_is_tested_and_says_what_to_do() -> None:
    tested = (PROMETHEUS / "tests" / "flight_test.yml").read_text()
    for rule in rules():
        name, annotations = rule["alert"], rule["annotations"]
        assert f"alertname: {name}" in tested or f'alertname="{name}"' in tested, f"{name} has no test"
        assert (ROOT / annotations["runbook_url"]).is_file(), annotations["runbook_url"]
        assert {"severity", "cause"} <= rule["labels"].keys(), name


def test_what_the_rules_ask_for_is_told_by_the_processes() -> None:
    told = (ROOT / "docs" / "metrics.md").read_text()
    for rule in rules():
        for metric in re.findall(r"flight_[a-z_]+", str(rule["expr"])):
            assert f"`{metric}`" in told, f"{rule['alert']} asks for {metric}, which no process tells"


def test_what_the_dashboard_asks_for_is_told_by_the_processes() -> None:
    told = (ROOT / "docs" / "metrics.md").read_text()
    panels = json.loads((ROOT / "deploy" / "grafana" / "flight.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(asked) > 20
    for metric in {name for expression in asked for name in re.findall(r"flight_[a-z0-9_]+", expression)}:
        assert f"`{metric.removesuffix('_bucket')}`" in told, metric


@pytest.mark.parametrize(
    "kind",
    ["partitions", "disk", "credentials", "credits", "loss", "store", "run", "hour", "sensor", "plausible", "agrees"],
)
def test_each_kind_of_incident_has_its_runbook(kind: str) -> None:
    assert (RUNBOOKS / f"{kind}.md").is_file()
