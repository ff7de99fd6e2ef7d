"""How a process that was started by hand is found by Prometheus; a real one: tests/integration/test_monitoring.py."""

import json
import os
from pathlib import Path

import pytest

from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.targets import announced, drop_stale, folder_of, metrics_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a machine on which `flight up` has set up Prometheus."""
    made = Settings.read(var=tmp_path, instance="feed-by-hand")
    folder_of(made).mkdir(parents=True)
    return made


def listed(settings: Settings) -> list[object]:
    return [group for file in sorted(folder_of(settings).glob("*.json")) for group in json.loads(file.read_text())]


def test_a_process_is_listed_while_it_runs(settings: Settings) -> None:
    with announced(settings, Stage.FEED, 9999):
        labels = {"process": "feed-by-hand", "hop": "feed"}
        assert listed(settings) == [{"targets": ["127.0.0.1:9999"], "labels": labels}]
    assert listed(settings) == []


def test_one_that_failed_stays_to_be_missed_until_the_next_one_starts(settings: Settings) -> None:
    with pytest.raises(RuntimeError), announced(settings, Stage.FEED, 9999):
        raise RuntimeError("a test")
    assert len(listed(settings)) == 1
    (file,) = folder_of(settings).iterdir()
    file.rename(file.with_stem("999999999"))  # no process has such a number
    with announced(settings, Stage.TRACK, 9998):
        assert [file.stem for file in folder_of(settings).iterdir()] == [str(os.getpid())]
        drop_stale(folder_of(settings))
        assert len(listed(settings)) == 1


def test_what_flight_up_knows_is_not_listed_twice_and_what_has_no_port_not_at_all(settings: Settings) -> None:
    known = [{"targets": ["127.0.0.1:9999"], "labels": {"process": "track-1"}}]
    (folder_of(settings).parent / "targets.json").write_text(json.dumps(known))
    for port in (9999, None):
        with announced(settings, Stage.TRACK, port):
            assert listed(settings) == []
    with announced(settings.model_copy(update={"listen_host": "0.0.0.0"}), Stage.TRACK, 9998):  # noqa: S104
        assert len(listed(settings)) == 1


def test_it_has_metrics_where_somebody_looks_and_where_the_settings_ask_for_them(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"var": settings.var / "elsewhere"})
    assert (metrics_port(settings), metrics_port(elsewhere)) == (0, None)
    assert metrics_port(elsewhere.model_copy(update={"metrics_port": 9101})) == 9101
    with announced(elsewhere, Stage.TRACK, 9999):
        assert not elsewhere.var.exists()
