"""How a source is opened by its kind, and what wrong options are told."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from flight_platform.errors import SettingsError
from flight_platform.settings import Settings
from streaming.sources import SOURCES, describe, open_source
from streaming.sources.opensky import OpenSky
from streaming.sources.replay import Replay

SETTINGS = Settings.read()
REPORT = '{"icao24": "3c6444", "time": 1700000000, "latitude": 1, "longitude": 2}\n'


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of three reports."""
    file = tmp_path / "recording.jsonl"
    file.write_text(REPORT * 3)
    return file


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("opnsky", {}, ["opnsky", "opensky, readsb"]),
        ("readsb", {}, ["--url or --file is missing", "aircraft.json"]),
        ("sbs", {}, ["--url or --file is missing", "tcp://127.0.0.1:30003"]),
        ("replay", {}, ["--file is missing"]),
        ("replay", {"url": "http://x"}, ["--url means nothing to replay"]),
        ("readsb", {"url": "http://x/a.json", "file": Path("a")}, ["--url and --file were both given"]),
        ("readsb", {"url": "ftp://x"}, ["--url", "http://"]),
        ("readsb", {"url": "receiver"}, ["--url", "http://"]),
        ("sbs", {"url": "http://x:1"}, ["--url", "tcp://"]),
        ("sbs", {"url": "x:port"}, ["--url", "tcp://"]),
        ("readsb", {"url": "http://x", "bbox": "1,2,3,4"}, ["--bbox means nothing to readsb; it is for opensky"]),
        ("replay", {"file": Path("x"), "nonsense": 1}, ["--nonsense means nothing to replay", "--speed"]),
        ("opensky", {"bbox": "1,2,3"}, ["--bbox", "west,south,east,north", "--bbox 5.9"]),
        ("opensky", {"bbox": "a,b,c,d"}, ["--bbox"]),
        ("opensky", {"bbox": "170,0,-170,10"}, ["--bbox", "180th meridian"]),
        ("opensky", {"bbox": "nan,0,1,10"}, ["--bbox"]),
        ("opensky", {"interval": "soon"}, ["--interval", "a number", "--interval 90"]),
        ("opensky", {"interval": 0}, ["--interval", "above 0"]),
        ("opensky", {"interval": "inf"}, ["--interval"]),
        ("sbs", {"url": "x", "timezone": "Tokyo"}, ["--timezone", "no such time zone", "Asia/Tokyo"]),
        ("sbs", {"url": "x", "timezone": "/etc/passwd"}, ["--timezone"]),
        ("readsb", {"url": "http://x", "limit": 1.5}, ["--limit", "whole number"]),
        ("readsb", {"url": "http://x", "name": "My Feed"}, ["--name", "small letters"]),
        ("readsb", {"file": Path("absent.json")}, ["--file absent.json", "No such file"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_an_example(kind: str, options: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        open_source(kind, SETTINGS, **options)
    for part in said:
        assert part in str(caught.value)
    assert "Example: " in str(caught.value) or " knows --" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speed": -1}, "--speed"),
        ({"speed": "fast"}, "--speed"),
        ({"rebase": "later"}, "--rebase is 'later': one of now, end-now"),
        ({"shift": "x"}, "--shift"),
        ({"shift": 5, "rebase": "now"}, "--shift and --rebase"),
    ],
)
def test_what_is_wrong_with_a_replay_is_said(options: dict[str, Any], said: str, recording: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        open_source("replay", SETTINGS, file=recording, **options)


def test_half_of_the_credentials_is_an_error() -> None:
    settings = Settings.read(opensky_client_id="me")
    with pytest.raises(SettingsError, match="FLIGHT_OPENSKY_CLIENT_SECRET"):
        open_source("opensky", settings)


def test_the_secret_is_in_no_text_of_a_source() -> None:
    settings = Settings.read(opensky_client_id="me", opensky_client_secret=SecretStr("hush"))
    source = open_source("opensky", settings)
    assert isinstance(source, OpenSky)
    assert "hush" not in repr(vars(source))


def test_options_that_are_none_are_not_given(recording: Path) -> None:
    source = open_source("replay", SETTINGS, file=recording, speed=None, bbox=None, timezone=None)
    assert isinstance(source, Replay)
    assert (source.name, source.repeatable, source.format) == ("replay", True, "our reports, NDJSON")


def test_a_limit_ends_any_source(recording: Path) -> None:
    source = open_source("replay", SETTINGS, file=recording, limit=2, loop=True, name="two")
    batches = list(source.batches(threading.Event()))
    assert [len(batch.positions) for batch in batches] == [2]
    assert [len(batch.originals) for batch in batches] == [2]
    assert {p.source for batch in batches for p in batch.positions} == {"two"}


def test_each_kind_tells_what_it_is() -> None:
    facts = describe()
    assert [fact["kind"] for fact in facts] == list(SOURCES)
    for fact in facts:
        assert fact["example"].startswith(f"flight feed {fact['kind']}")
        assert all(fact[name] for name in ("summary", "brings", "rate", "licence"))
