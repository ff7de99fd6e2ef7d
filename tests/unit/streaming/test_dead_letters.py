"""A dead letter says what, where from, when and why, whoever wrote it and however long it is."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from flight_platform.codec import encode
from flight_platform.errors import InvalidIdentifierError
from flight_platform.kafka import MAX_MESSAGE_BYTES
from flight_platform.model import Position
from flight_platform.names import Header, Reason, Stage
from streaming.dead_letters import (
    MAX_ORIGINAL_BYTES,
    POSITION_FORMAT,
    KafkaHeaders,
    Letter,
    Mark,
    Refusals,
    letter,
    letter_of_report,
    mark,
    original_bytes,
    parse_place,
    read,
)
from streaming.sources.reports import Decoder, read_lines

NOW_MS = 1_700_000_000_250
REPORT = Position(icao24="3c6444", time=NOW_MS, received_at=NOW_MS, latitude=49.0, longitude=2.5, source="roof")
NEWER_FIELD = b"\xfa\x06\x03new"  # field 111, which no version knows yet: the text "new"
ORIGIN = ("flight.reports", 3, 17)


def as_text(headers: KafkaHeaders) -> dict[str, str]:
    return {name: value.decode() for name, value in headers if isinstance(value, bytes)}


def made(original: bytes = b"{", **change: Any) -> tuple[bytes, dict[str, str]]:
    facts: dict[str, Any] = {
        "reason": Reason.UNDECODABLE,
        "detail": "half an object",
        "stage": Stage.FEED,
        "source": "roof",
        "now_ms": NOW_MS,
    }
    value, headers = letter(original, **(facts | change))
    return value, as_text(headers)


def test_a_letter_is_its_original_bytes_and_says_the_rest_in_headers() -> None:
    value, headers = made(b"\xff\x00{", record_format="readsb", clock_ms=NOW_MS - 250, exception="ValueError: no")
    assert value == b"\xff\x00{"
    assert headers == {
        "reason": "undecodable",
        "detail": "half an object",
        "exception": "ValueError: no",
        "stage": "feed",
        "source": "roof",
        "format": "readsb",
        "source_clock": "2023-11-14T22:13:20.000Z",
        "refused_at": "2023-11-14T22:13:20.250Z",
    }


def test_eight_megabytes_are_kept_whole() -> None:
    value, headers = made(b"x" * MAX_ORIGINAL_BYTES)
    assert len(value) == 8_000_000
    assert Header.TRUNCATED not in headers


def test_beyond_that_the_head_is_kept_with_size_and_hash() -> None:
    original = b"head" + b"x" * MAX_ORIGINAL_BYTES
    value, headers = made(original)
    assert value == original[:8_000_000]
    assert headers[Header.TRUNCATED] == "true"
    assert headers[Header.ORIGINAL_BYTES] == "8000004"
    assert headers[Header.ORIGINAL_SHA256] == hashlib.sha256(original).hexdigest()
    found = read((0, 1), headers, value)
    assert isinstance(found, Letter)
    assert found.truncated


def test_a_detail_that_quotes_the_record_does_not_make_the_letter_too_long() -> None:
    endless = "\N{AIRPLANE}" * MAX_ORIGINAL_BYTES
    value, headers = made(b"x" * (MAX_ORIGINAL_BYTES + 1), detail=endless, exception=endless)
    assert len(value) + sum(len(k) + len(v.encode()) for k, v in headers.items()) < MAX_MESSAGE_BYTES - 100_000


def test_the_exception_of_a_decoder_and_its_cause() -> None:
    (batch,) = Decoder("roof", keep_source=False).batches(read_lines(iter([b'{"icao24": '])))  # type: ignore[arg-type]
    said = batch.refused[0].exception or ""
    assert said.startswith("UndecodableError: not JSON: ")
    assert "\ncaused by JSONDecodeError: " in said


@pytest.mark.parametrize(
    ("original", "expected"),
    [(b"\xff", b"\xff"), ("a,\udcff", b"a,\xff"), ({"lat": 1}, b'{"lat": 1}')],
)
def test_original_bytes(original: object, expected: bytes) -> None:
    assert original_bytes(original) == expected


def test_a_refused_report_keeps_what_only_a_newer_writer_knows() -> None:
    data = encode(REPORT) + NEWER_FIELD
    value, headers = letter_of_report(
        data, reason=Reason.IMPLAUSIBLE, detail="2000 km in 1.0 s", error=None, now_ms=NOW_MS, origin=ORIGIN
    )
    text = as_text(headers)
    assert value == data
    assert (text[Header.SOURCE], text[Header.FORMAT], text[Header.STAGE]) == ("roof", POSITION_FORMAT, "track")
    assert (text[Header.TOPIC], text[Header.PARTITION], text[Header.OFFSET]) == ("flight.reports", "3", "17")
    assert Header.EXCEPTION not in text


def test_a_report_that_does_not_decode_says_why() -> None:
    value, headers = letter_of_report(
        b"\xff\xfe", reason=Reason.UNDECODABLE, detail="no report", error=None, now_ms=NOW_MS, origin=ORIGIN
    )
    assert value == b"\xff\xfe"
    assert as_text(headers)[Header.EXCEPTION].startswith("UndecodableError: not a flight.v1.Position: ")


def test_the_exception_of_the_tracker_goes_before_that_of_reading_it_again() -> None:
    error = InvalidIdentifierError("'XYZ' is no address")
    data = encode(replace(REPORT, icao24="XYZ"))
    _, headers = letter_of_report(
        data, reason=Reason.OUT_OF_RANGE, detail=str(error), error=error, now_ms=NOW_MS, origin=ORIGIN
    )
    assert as_text(headers)[Header.EXCEPTION] == "InvalidIdentifierError: 'XYZ' is no address"


def test_what_was_written_is_read() -> None:
    value, headers = made(b"{}", record_format="opensky", clock_ms=NOW_MS - 1000)
    found = read((2, 9), headers, value)
    assert isinstance(found, Letter)
    assert (found.id, found.original, found.record_format) == ("2:9", b"{}", "opensky")
    assert (found.refused_at_ms, found.clock_ms) == (NOW_MS, NOW_MS - 1000)


def test_letters_of_an_older_writer() -> None:
    old = {"reason": "implausible", "detail": "far", "source": "", "refused_at": "2023-11-14T22:13:20.250+00:00"}
    tracked, fed = read((0, 0), old | {"stage": "track"}, b"x"), read((0, 1), old | {"stage": "feed"}, None)
    assert isinstance(tracked, Letter)
    assert isinstance(fed, Letter)
    assert tracked.record_format == POSITION_FORMAT
    assert tracked.refused_at_ms == NOW_MS
    assert (fed.record_format, fed.clock_ms, fed.truncated, fed["source"], fed.original) == (None,) * 2 + (
        False,
        None,
        b"",
    )


def test_a_letter_of_a_newer_writer_keeps_its_headers() -> None:
    found = read((0, 0), {"reason": "some_day", "weather": "fair"}, b"x")
    assert isinstance(found, Letter)
    assert (found["reason"], found["weather"]) == ("some_day", "fair")


def test_a_mark_is_no_letter() -> None:
    headers = as_text(mark((3, 17), reports=2, now_ms=NOW_MS))
    assert read((3, 18), headers, None) == Mark(of=(3, 17), replayed_at="2023-11-14T22:13:20.250Z", reports=2)


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "a:b", "3:-1", "3:4:5", "3:²", " 3:4"])
def test_what_is_no_place(text: str) -> None:
    assert parse_place(text) is None


def test_the_log_says_once_a_minute_how_many_were_refused_since(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = Refusals()
    with capture_logs() as said:
        refusals.tell({"accepted": 5})
        refusals.tell({"accepted": 5, "too_late": 2, "undecodable": 1})
        refusals.tell({"too_late": 3, "undecodable": 1})
    assert [(line["event"], line["too_late"], line["undecodable"]) for line in said] == [("records_refused", 2, 1)]
    monkeypatch.setattr(Refusals, "EVERY_S", 0.0)
    refusals._next_at = 0.0
    with capture_logs() as said:
        refusals.tell({"too_late": 7, "undecodable": 1})
    (line,) = said
    assert (line["too_late"], "undecodable" in line) == (5, False)
