"""What a growth refuses before it touches anything; the growth itself is in integration and acceptance."""

from typing import Any

import pytest

from flight_platform import kafka
from flight_platform.errors import SettingsError
from flight_platform.layout import Layout
from flight_platform.settings import Settings
from streaming import growing
from streaming.growing import Grown, grow


def layout(reports: int, positions: int, tracker: int, target: int | None = None) -> Layout:
    return Layout(reports=reports, positions=positions, tracker=tracker, target=target)


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of Kafka."""
    asked: list[str] = []

    class Admin:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(kafka, "admin", lambda _settings: Admin())
    return asked


@pytest.mark.parametrize(
    ("now", "partitions", "problem"),
    [
        (layout(12, 12, 12), 6, "have 12 partitions, and Kafka never takes one away"),
        (layout(12, 12, 12), 5_000, "1024 is the most"),
        (layout(0, 0, 0), 6, "flight topics create"),
        (layout(4, 4, 6, target=6), 8, "a growth to 6 partitions is under way"),
        (layout(6, 6, 4), 6, "--partitions 7"),
    ],
    ids=["fewer", "too many", "no topics", "another growth", "the tracker's alone"],
)
def test_a_number_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, touched: list[str], now: Layout, partitions: int, problem: str
) -> None:
    monkeypatch.setattr(growing, "read_layout", lambda *_: now)
    with pytest.raises(SettingsError, match=problem):
        grow(Settings.read(), partitions)
    assert touched == []


def test_topics_that_have_so_many_are_left_alone(monkeypatch: pytest.MonkeyPatch, touched: list[str]) -> None:
    monkeypatch.setattr(growing, "read_layout", lambda *_: layout(12, 12, 12))
    assert grow(Settings.read(), 12) == Grown(before=12, partitions=12, moved=0, held_s=0.0)
    assert touched == []
