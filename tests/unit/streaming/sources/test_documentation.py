"""docs/sources.md names every source, its command and its options, and its commands are commands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from flight_platform.settings import Settings
from streaming.sources import SOURCES, describe, open_source

PAGE = Path(__file__).parents[4] / "docs" / "sources.md"
COMMANDS = re.findall(r"`flight feed ([^`]+)`", PAGE.read_text("utf-8"))


@pytest.mark.parametrize("kind", describe(), ids=lambda kind: str(kind["kind"]))
def test_each_source_is_there_with_its_example(kind: dict[str, Any]) -> None:
    assert kind["example"] in {f"flight feed {command}" for command in COMMANDS}
    assert f"| `{kind['kind']}`" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_opens_a_source(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "globe_history/2023/08/30").mkdir(parents=True)
    (tmp_path / "globe_history/2023/08/30/trace_full_3c6444.json").write_text("{}")
    for name in ("states.csv.gz", "capture.beast", "recording.jsonl.gz"):
        (tmp_path / name).touch()
    kind, *words = shlex.split(command)
    options: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word == "--backfill":
            continue
        option, value = (word[2:], words.pop(0)) if word.startswith("--") else ("file", word)
        options[option] = Path(value) if option == "file" else value
    assert kind in SOURCES
    source = open_source(kind, Settings.read(), **options)
    assert source.name == options.get("name", kind)
