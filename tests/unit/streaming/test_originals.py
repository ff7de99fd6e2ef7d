"""Originals decode again as their source decoded them the first time, or say why they cannot."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from flight_platform.codec import encode, iso_time
from flight_platform.errors import UndecodableError
from flight_platform.model import Position
from flight_platform.names import Header, Reason, Stage
from flight_platform.settings import Settings
from streaming.dead_letters import Letter, letter, original_bytes, read
from streaming.originals import NOT_ALONE, NotAloneError, Report, decode_again
from streaming.sources import SOURCES, open_source
from streaming.sources.base import record_format
from streaming.sources.opensky_format import decode_answer as decode_opensky
from streaming.sources.readsb_format import decode_answer as decode_readsb
from tests.unit.streaming.test_dead_letters import NEWER_FIELD, NOW_MS, REPORT, as_text

STATE = ["3c6444", "DLH1", "DE", NOW_MS // 1000, NOW_MS // 1000, 2.5, 49.0, 1000.0, False, 200.0, 90.0, 0.0, None]
STATE += [1100.0, "1000", False, 0]
ENTRY = {"hex": "3c6444", "lat": 49.0, "lon": 2.5, "seen_pos": 1.5, "alt_baro": 35000, "flight": "DLH1  "}


def letter_of(original: object, format_: str, clock_ms: int | None = None, source: str = "roof") -> Letter:
    """A letter as the feed writes it, read again."""
    value, headers = letter(
        original_bytes(original),
        reason=Reason.OUT_OF_RANGE,
        detail="",
        stage=Stage.FEED,
        source=source,
        now_ms=NOW_MS,
        record_format=format_,
        clock_ms=clock_ms,
    )
    found = read((0, 0), as_text(headers), value)
    assert isinstance(found, Letter)
    return found


def positions(found: Letter) -> list[Position]:
    return [report.position for report in decode_again(found, NOW_MS)]


def test_a_state_of_opensky() -> None:
    batch = decode_opensky({"time": NOW_MS // 1000, "states": [STATE]}, source="roof", received_at=NOW_MS)
    assert positions(letter_of(batch.originals[0], "opensky", batch.clock_ms)) == batch.positions


def test_an_entry_of_readsb_counts_from_the_clock_of_its_poll() -> None:
    batch = decode_readsb({"now": NOW_MS / 1000 - 60, "aircraft": [ENTRY]}, source="roof", received_at=NOW_MS)
    assert batch.positions[0].time == NOW_MS - 61_500
    assert positions(letter_of(batch.originals[0], "readsb", batch.clock_ms)) == batch.positions


def test_an_entry_of_readsb_without_that_clock_is_not_guessed() -> None:
    with pytest.raises(NotAloneError, match=r"aircraft\.json was told"):
        decode_again(letter_of(ENTRY, "readsb"), NOW_MS)


def test_a_record_of_readsb_with_its_own_time() -> None:
    record = ENTRY | {"now": NOW_MS / 1000}
    assert positions(letter_of(record, "readsb", NOW_MS + 9_000))[0].time == NOW_MS - 1_500


def test_a_whole_file_gives_all_its_reports_packed_or_not() -> None:
    content = json.dumps({"now": NOW_MS / 1000, "aircraft": [ENTRY, ENTRY | {"hex": "3c6445"}]}).encode()
    for original in (content, gzip.compress(content)):
        found = positions(letter_of(original, "readsb"))
        assert [position.icao24 for position in found] == ["3c6444", "3c6445"]


def test_a_whole_file_goes_whole_or_not_at_all() -> None:
    content = {"now": NOW_MS / 1000, "aircraft": [ENTRY, ENTRY | {"hex": 7}]}
    with pytest.raises(UndecodableError, match="1 of its records do not decode, first: hex is 7"):
        decode_again(letter_of(content, "readsb"), NOW_MS)


@pytest.mark.parametrize(("feed", "source"), [("roof", "roof"), ("replay", "attic")])
def test_a_record_of_ours_is_of_the_source_that_its_feed_would_give_it(feed: str, source: str) -> None:
    record = {"icao24": "3c6444", "time": iso_time(NOW_MS), "latitude": "49", "longitude": "2.5", "source": "attic"}
    assert positions(letter_of(record, "report", source=feed))[0].source == source


def test_a_report_goes_on_as_the_bytes_that_it_is() -> None:
    data = encode(REPORT) + NEWER_FIELD
    assert decode_again(letter_of(data, "flight.v1.Position"), NOW_MS + 5) == [Report(REPORT, data)]


@pytest.mark.parametrize("format_", [*NOT_ALONE, "", "asterix"])
def test_what_one_record_does_not_tell(format_: str) -> None:
    with pytest.raises(NotAloneError):
        decode_again(letter_of(ENTRY, format_), NOW_MS)


def test_the_head_of_an_original_is_no_original() -> None:
    found = letter_of(b"{}" + b" " * 8_000_000, "readsb")
    with pytest.raises(NotAloneError, match="8 MB"):
        decode_again(found, NOW_MS)


@pytest.mark.parametrize(
    ("original", "format_"),
    [(b"{", "opensky"), (b"[1]", "opensky"), (b"7", "readsb"), (b"\x1f\x8b", "readsb"), (b"[]", "report"),
     (b"\xff", "flight.v1.Position"), (b"", "report"), (b"[" * 100_000, "readsb")],
)  # fmt: skip
def test_what_still_does_not_decode(original: bytes, format_: str) -> None:
    with pytest.raises(UndecodableError) as raised:
        decode_again(letter_of(original, format_, NOW_MS), NOW_MS)
    assert not isinstance(raised.value, NotAloneError)


def test_a_record_that_holds_no_position() -> None:
    with pytest.raises(UndecodableError, match="holds no position"):
        decode_again(letter_of({"hex": "3c6444"}, "readsb", NOW_MS), NOW_MS)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("readsb", {"url": "http://127.0.0.1:1/"}, "readsb"),
        ("opensky", {}, "opensky"),
        ("sbs", {"url": "tcp://127.0.0.1:1"}, "sbs"),
        ("beast", {"url": "tcp://127.0.0.1:1"}, "beast"),
        ("replay", {}, "report"),
        ("replay", {"limit": 3}, "report"),
        ("replay", {"shift": 60}, "recording"),
    ],
)
def test_every_source_says_what_its_originals_are(
    kind: str, options: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    if kind == "replay":
        file = tmp_path / "reports.jsonl"
        file.write_text('{"icao24": "3c6444", "time": 1700000000, "latitude": 1, "longitude": 2}\n' * 2)
        options = options | {"file": file}
    assert record_format(open_source(kind, Settings.read(), **options)) == expected
    assert set(SOURCES) == {"opensky", "readsb", "sbs", "beast", "replay"}, "a new source needs a row above"


def test_no_header_is_named_twice() -> None:
    names = [value for name, value in vars(Header).items() if name.isupper()]
    assert len(names) == len(set(names))
