"""The code location as a whole."""

import os
import subprocess
import sys

import dagster as dg

from assets.definitions import build_defs, defs

_KEYS = {
    "kafka/reports",
    "kafka/positions",
    "live/flights",
    "history/positions",
    "history/partitions",
    "history/hours",
    "history/chunks",
    "history/archive",
    "history/statistics",
    "history/flights",
    "history/backfill",
    "reference/airports",
    "reference/aircraft",
    "reference/runways",
}


def test_the_assets_have_the_names_that_stay_and_each_says_what_it_is() -> None:
    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == _KEYS
    for node in graph.asset_nodes:
        assert node.description, node.key
        assert node.group_name in {"streams", "history", "reference"}
        assert node.kinds, node.key
        assert node.owners, node.key


def test_what_must_run_by_itself_is_running_by_default() -> None:
    repository = build_defs().get_repository_def()
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {s.default_status for s in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}


def test_loading_warns_of_nothing_and_leaves_great_expectations_for_later() -> None:
    code = (
        "import sys, assets.definitions; assert 'great_expectations' not in sys.modules;"
        "from assets.partitions import HOURS; assert HOURS.get_first_partition_key() == '2024-02-29-00:00'"
    )
    environment = {**os.environ, "FLIGHT_HISTORY_START": "2024-02-29"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
