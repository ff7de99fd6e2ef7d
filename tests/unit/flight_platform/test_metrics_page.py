"""docs/metrics.md is what the code offers."""

import importlib

import pytest
from prometheus_client import REGISTRY

from cli.programs import ROOT
from flight_platform import metrics_page

PROCESSES = ("streaming.feed", "streaming.track", "streaming.live", "streaming.history", "streaming.sources",
             "serving.active", "serving.history")  # fmt: skip


def test_the_page_is_what_the_code_says() -> None:
    remedy = "run `python -m flight_platform.metrics_page > docs/metrics.md`"
    assert (ROOT / "docs/metrics.md").read_text() == metrics_page.page(), remedy


@pytest.mark.parametrize("process", PROCESSES)
def test_all_of_ours_are_on_it(process: str) -> None:
    importlib.import_module(process)  # a metric that it defines belongs into `telemetry.py`, where the page finds it
    on_it = {family.name for metric in metrics_page.metrics() for family in metric.describe()}
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("flight_")}
    assert ours == on_it


def test_no_label_grows_with_the_traffic() -> None:
    labels = {label for metric in metrics_page.metrics() for label in metric._labelnames}
    assert labels <= {
        "source", "outcome", "code", "stage", "partition", "reason", "command", "shard", "route", "method", "protocol",
        "dependency",
    }  # fmt: skip
