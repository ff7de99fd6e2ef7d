"""Limits of the conditions. Those that ask the database are tested in tests/integration/dagster/test_house.py."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flight_platform.watch.conditions import concerns, disk, disk_state, stores
from flight_platform.watch.freshness import Hop

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("free_gb", "total_gb", "state"),
    [(50, 100, None), (9, 100, "filling"), (90, 1000, None), (15, 1000, "filling"), (1, 100, "full"), (1, 8, None)],
)
def test_a_disk_is_full_when_both_its_share_and_its_bytes_are_small(
    free_gb: float, total_gb: float, state: str | None
) -> None:
    assert disk_state(int(free_gb * 1e9), int(total_gb * 1e9)) == state


def test_a_disk_that_fills_is_told_with_what_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 1_000_000_000, "total": 100_000_000_000})
    monkeypatch.setattr("flight_platform.watch.conditions.shutil.disk_usage", lambda _: usage)
    (alert,) = disk(tmp_path, NOW)
    assert (alert.key, alert.severity) == ("disk:full", "critical")
    assert "1.0 GB left of 100 GB" in alert.summary


def test_a_source_that_says_that_its_account_is_refused_is_an_alert_of_that_kind() -> None:
    feed = Hop(name="source:sky", processes=1, concerns={"credentials": "the account is refused: 401"})
    (alert,) = concerns([feed], "credentials", NOW)
    assert (alert.key, alert.source) == ("credentials:sky", "sky")
    assert concerns([feed], "credits", NOW) == []


def test_a_live_server_that_is_away_is_told_though_live_goes_on() -> None:
    live = Hop(name="live", processes=1, note="live servers away: redis://a")
    assert [alert.key for alert in stores([live, Hop(name="live", processes=1)], NOW)] == ["store:live"]
