"""Which live server is chosen."""

from pathlib import Path

import pytest

from flight_platform.embedded.tile38 import PROGRAM, EmbeddedLive
from flight_platform.errors import ToolMissingError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs; empty at first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_tile38_is_taken_where_it_is_on_path(tmp_path: Path, programs: Path) -> None:
    (programs / PROGRAM).touch(mode=0o755)
    live = EmbeddedLive(tmp_path, 19851)
    assert (live.kind, live.name, live.url) == ("tile38", "Tile38", "redis://127.0.0.1:19851")
    words = list(live.launch().words)
    assert words[words.index("-h") + 1] == "127.0.0.1"
    assert words[-2:] == ["--appendonly", "no"]


@pytest.mark.parametrize(("ours", "told"), [(None, "400"), ("100", "100")])
def test_tile38_collects_seldom_unless_told_otherwise(
    ours: str | None, told: str, tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (programs / PROGRAM).touch(mode=0o755)
    monkeypatch.delenv("GOGC", raising=False)
    if ours is not None:
        monkeypatch.setenv("GOGC", ours)
    assert EmbeddedLive(tmp_path, 19851).launch().environment["GOGC"] == told


def test_else_the_stand_in_is_and_says_so(tmp_path: Path, programs: Path) -> None:
    live = EmbeddedLive(tmp_path, 19851)
    assert live.kind == "stand-in"
    assert "stands in for Tile38" in live.name
    assert "flight_platform.embedded.live_server" in live.launch().words


def test_whoever_insists_on_tile38_is_told_what_to_do(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(ToolMissingError, match="install Tile38 from its own distribution"):
        EmbeddedLive(tmp_path, 19851, "tile38").prepare()
