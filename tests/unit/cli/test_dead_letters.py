"""`flight dead-letters`: counts by reason and source, originals that people can read, filters that explain."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cli import dead_letters, replay_dead_letters
from cli.dead_letters import Survey, describe, hex_dump, moment, place_of, readable
from cli.main import EXIT_FAILURE, EXIT_SETTINGS, main
from flight_platform.codec import encode
from flight_platform.errors import InvalidIdentifierError, SettingsError
from flight_platform.model import Position
from flight_platform.names import Reason
from streaming import dead_letter_topic
from streaming.dead_letter_topic import Wanted
from streaming.dead_letters import Letter, Mark
from streaming.originals import Report
from streaming.replay_dead_letters import Judgement, Outcome

NOW_MS = 1_700_000_000_000
REPORT = Position(icao24="3c6444", time=NOW_MS, received_at=NOW_MS, latitude=49.0, longitude=2.5)


def letter_at(offset: int, reason: str = "too_late", source: str = "roof", **more: Any) -> Letter:
    headers = {"reason": reason, "source": source, "refused_at": f"2026-01-31T12:00:{offset:02d}Z", "detail": "a\nb"}
    return Letter(place=(0, offset), headers=headers | more.get("headers", {}), original=more.get("original", b"{}"))


def test_counts_are_of_all_and_the_newest_are_kept() -> None:
    entries: list[Letter | Mark] = [letter_at(n) for n in (9, 3, 1, 7, 5)]
    entries += [letter_at(10, "implausible", "attic"), Mark(of=(0, 3), replayed_at="later", reports=1)]
    survey = Survey.of(entries, Wanted(), 2)
    assert survey.by_reason() == {"too_late": 5, "implausible": 1}
    assert survey.by_source() == [("too_late", "roof", 5, 1), ("implausible", "attic", 1, 0)]
    assert [letter.id for letter in survey.newest] == ["0:9", "0:10"]


@pytest.mark.parametrize("limit", [0, 1, 5, 9])
def test_the_limit_limits_what_is_shown_alone(limit: int) -> None:
    survey = Survey.of((letter_at(n) for n in range(5)), Wanted(), limit, originals=False)
    assert not any(letter.original for letter in survey.newest)
    assert survey.by_reason() == {"too_late": 5}
    assert [letter.place[1] for letter in survey.newest] == list(range(5))[max(0, 5 - limit) :]


def test_filters_hold_for_counts_too() -> None:
    survey = Survey.of([letter_at(0), letter_at(1, "implausible")], Wanted(reason=Reason.TOO_LATE), 20)
    assert survey.by_reason() == {"too_late": 1}


def test_json_has_headers_that_this_version_does_not_know() -> None:
    found = describe(letter_at(0, headers={"weather": "fair", "topic": "flight.reports", "format": "readsb"}))
    assert found["other_headers"] == {"weather": "fair"}
    assert (found["from_topic"], found["format"], found["exception"], found["original_bytes"]) == (
        "flight.reports",
        "readsb",
        None,
        2,
    )


@pytest.mark.parametrize(
    ("original", "format_", "shown"),
    [
        (b'{"a":1}', "readsb", '{\n  "a": 1\n}'),
        (b"MSG,3,1", "sbs", "MSG,3,1"),
        (b"\x00\xff", "beast", "00000000  00 ff" + " " * 44 + "..".rjust(2)),
        (b"\xff", "flight.v1.Position", "00000000  ff" + " " * 47 + "."),
    ],
)
def test_an_original_as_people_read_it(original: bytes, format_: str, shown: str) -> None:
    assert readable(letter_at(0, original=original, headers={"format": format_})) == shown


def test_a_report_is_shown_with_its_fields() -> None:
    shown = readable(letter_at(0, original=encode(REPORT), headers={"format": "flight.v1.Position"}))
    assert json.loads(shown)["icao24"] == "3c6444"


def test_of_a_long_binary_the_head_is_shown() -> None:
    lines = hex_dump(b"A" * 10_000).splitlines()
    assert len(lines) == 33
    assert lines[0].endswith("AAAAAAAAAAAAAAAA")
    assert lines[-1] == "... 10,000 bytes in all; --raw writes them"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW_MS - 7_200_000),
        ("1.5 d", NOW_MS - 129_600_000),
        ("90min", NOW_MS - 5_400_000),
        ("30s", NOW_MS - 30_000),
        ("2023-11-14T22:13:20Z", NOW_MS),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert moment(text, "since", NOW_MS) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "2 weeks", "-2h"])
def test_no_moment(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--until is .* Example"):
        moment(text, "until", NOW_MS)


def test_no_place() -> None:
    with pytest.raises(InvalidIdentifierError, match="partition:offset"):
        place_of("17")


def test_a_replay_of_everything_is_asked_for_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["dead-letters", "replay"])
    assert exit_info.value.code == EXIT_SETTINGS
    assert "--all" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list"], ["show", "0:1"], ["replay", "--all"]], ids=" ".join)
def test_a_kafka_that_is_away_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLIGHT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(dead_letter_topic, "_ANSWER_S", 0.5)
    with pytest.raises(SystemExit) as exit_info:
        main(["dead-letters", *words])
    assert exit_info.value.code == EXIT_FAILURE
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "127.0.0.1:1 does not answer" in said[0]


def test_raw_is_the_bytes_alone(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    monkeypatch.setattr(dead_letter_topic, "read_one", lambda *_: letter_at(0, original=b"\xff\x00\r\n"))
    dead_letters.show_letter("0:0", raw=True)
    assert capfdbinary.readouterr().out == b"\xff\x00\r\n"


def came_of(*_: Any, **__: Any) -> Iterator[Judgement]:
    gone = Judgement(letter=letter_at(0), outcome=Outcome.REPLAYED, reports=(Report(REPORT),) * 2)
    yield gone
    yield replace(gone, outcome=Outcome.ALREADY_REPLAYED, detail="already replayed", reports=())
    for reason in (Reason.TOO_LATE, Reason.TOO_LATE, Reason.OUT_OF_RANGE):
        yield replace(gone, outcome=Outcome.REFUSED_AGAIN, reason=reason, detail="x", reports=())
    yield replace(gone, outcome=Outcome.NOT_REPLAYABLE, detail="it is a line", reports=())


def test_a_replay_says_what_came_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    summary, rows = replay_dead_letters._collect(came_of(), every=False)
    replay_dead_letters._say(summary, rows, dry_run=False, backfill=False)
    said = capsys.readouterr().out
    for line in ("replayed 1", "already replayed 1", "refused again: too_late 2", "not replayable: it is a line 1"):
        assert line in " ".join(said.split())
    assert "2 reports went into flight.reports" in said
    assert "--backfill" in said
    assert len(rows) == 5


def test_a_dry_run_says_what_would_be(capsys: pytest.CaptureFixture[str]) -> None:
    summary, rows = replay_dead_letters._collect(came_of(), every=True)
    replay_dead_letters._say(summary, rows, dry_run=True, backfill=True)
    said = capsys.readouterr().out
    assert "would be replayed" in said
    assert "2 reports would go into flight.reports" in said
    assert "--backfill" not in said
    assert len(rows) == 6


def test_the_answer_for_scripts() -> None:
    summary, rows = replay_dead_letters._collect(came_of(), every=True)
    answer = json.loads(json.dumps(replay_dead_letters._as_json(summary, rows, dry_run=False)))
    assert answer["outcomes"] == {
        "replayed": 1, "already_replayed": 1, "refused_again": 3, "not_replayable": 1, "blocked": 0,
    }  # fmt: skip
    assert answer["refused_again"] == {"too_late": 2, "out_of_range": 1}
    assert answer["dead_letters"][0] == {
        "id": "0:0", "outcome": "replayed", "reason": None, "detail": None, "reports": 2,
    }  # fmt: skip
