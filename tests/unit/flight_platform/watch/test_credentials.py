"""When somebody is told of what runs out at the edge. Roles of Postgres: tests/integration/dagster/test_house.py."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flight_platform import edge
from flight_platform.settings import Settings
from flight_platform.watch.credentials import certificate, keys
from tests.certificates import self_signed

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("days", "own", "told"),
    [
        (15, True, []),
        (13, True, [("credentials:expiring:certificate", "warning")]),
        (-1, True, [("credentials:expired:certificate", "critical")]),
        (13, False, []),
        (6, False, [("credentials:expiring:certificate", "warning")]),
    ],
    ids=["in time", "soon", "over", "self-signed", "self-signed, about to be made anew"],
)
def test_a_certificate_is_told_two_weeks_before_its_end_a_self_signed_one_when_it_is_made_anew(
    tmp_path: Path, days: float, own: bool, told: list[Any]
) -> None:
    path = tmp_path / "edge.pem" if own else tmp_path / "edge" / "self-signed.pem"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(self_signed(days=days) + self_signed(days=3650))  # a chain: the first is the edge's own
    settings = Settings.read(var=tmp_path, edge_certificate=path if own else None)
    now = datetime.now(UTC)
    alerts = certificate(settings, now)
    assert [(alert.key, alert.severity) for alert in alerts] == told
    for alert in alerts:
        ends = alert.last_good
        assert ends is not None
        assert abs(ends - now - timedelta(days=days)) < timedelta(minutes=5)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_where_there_is_no_certificate_nothing_runs_out(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "edge").mkdir()
        (tmp_path / "edge" / "self-signed.pem").write_bytes(content)
    assert certificate(Settings.read(var=tmp_path), NOW) == []


def test_a_key_is_told_from_two_weeks_before_its_last_day_until_it_is_gone(tmp_path: Path) -> None:
    def line(name: str, days: int) -> str:
        key = edge.Key(digest=name, name=name, rate=1, role="client", since="2026-01-01", expires=day(days))
        return f"{key.digest} {key.value}\n"

    def day(days: int) -> str:
        return f"{NOW.date() + timedelta(days=days)}"

    settings = Settings.read(var=tmp_path)
    edge.home(settings).mkdir()
    endless = "e endless:1:client:2026-01-01\n"
    edge.keys_file(settings).write_text(line("later", 20) + line("soon", 12) + line("over", -3) + endless)
    told = keys(settings, NOW)
    assert [(alert.key, alert.summary) for alert in told] == [
        (f"credentials:key:{name}", f"the key of {name} holds until {day(days)}, the end of the day (UTC)")
        for name, days in (("soon", 12), ("over", -3))
    ]
