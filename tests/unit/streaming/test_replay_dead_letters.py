"""What a replay does with each letter: today's code and the feed's rules, and none that has gone back before."""

from dataclasses import replace
from datetime import date

import pytest

from flight_platform.codec import encode
from flight_platform.model import Position
from flight_platform.names import Reason, Treatment
from flight_platform.privacy.rules import Rule, Subject
from streaming.blocklist import BlockList
from streaming.dead_letter_topic import Wanted
from streaming.dead_letters import Letter, Mark
from streaming.replay_dead_letters import Outcome, Rules, Summary, judged
from streaming.sifting import Limits
from tests.unit.streaming.test_dead_letters import NEWER_FIELD, NOW_MS, REPORT

LIMITS = Limits(lateness_s=86_400, future_s=30)
RULES = Rules(limits=LIMITS, blocked=BlockList())
DAY_MS = 86_400_000


def letter_of(position: Position = REPORT, offset: int = 0, format_: str = "flight.v1.Position") -> Letter:
    headers = {"reason": "implausible", "format": format_, "source": "roof"}
    return Letter(place=(0, offset), headers=headers, original=encode(position) + NEWER_FIELD)


def test_a_report_that_passes_goes_back_as_it_was() -> None:
    judgement = RULES.judge(letter_of(), NOW_MS)
    assert judgement.outcome is Outcome.REPLAYED
    assert [report.data for report in judgement.reports] == [encode(REPORT) + NEWER_FIELD]


@pytest.mark.parametrize(
    ("position", "now_ms", "reason"),
    [
        (replace(REPORT, latitude=91.0), NOW_MS, Reason.OUT_OF_RANGE),
        (REPORT, NOW_MS - 31_000, Reason.IN_FUTURE),
        (REPORT, NOW_MS + DAY_MS + 1_000, Reason.TOO_LATE),
    ],
)
def test_the_feed_s_rules_hold(position: Position, now_ms: int, reason: Reason) -> None:
    judgement = RULES.judge(letter_of(position), now_ms)
    assert (judgement.outcome, judgement.reason, judgement.reports) == (Outcome.REFUSED_AGAIN, reason, ())
    assert judgement.detail


def test_a_backfill_takes_what_is_late() -> None:
    rules = Rules(limits=Limits(lateness_s=None, future_s=30), blocked=BlockList())
    assert rules.judge(letter_of(), NOW_MS + 99 * DAY_MS).outcome is Outcome.REPLAYED


def test_what_still_does_not_decode_is_refused_again() -> None:
    judgement = RULES.judge(replace(letter_of(), original=b"\xff"), NOW_MS)
    assert (judgement.outcome, judgement.reason) == (Outcome.REFUSED_AGAIN, Reason.UNDECODABLE)


def test_what_cannot_be_decoded_alone_says_so() -> None:
    judgement = RULES.judge(letter_of(format_="sbs"), NOW_MS)
    assert judgement.outcome is Outcome.NOT_REPLAYABLE
    assert "lines before it" in judgement.detail


@pytest.mark.parametrize(
    ("treatment", "outcome"), [(Treatment.DROP, Outcome.BLOCKED), (Treatment.ANONYMISE, Outcome.REPLAYED)]
)
def test_the_block_list_of_today_counts(treatment: Treatment, outcome: Outcome) -> None:
    subject = Subject(icao24=REPORT.icao24)
    rule = Rule(subject=subject, treatment=treatment, reason="", address=REPORT.icao24, until=date(2100, 1, 1))
    blocked = BlockList.of([rule])
    judgement = Rules(limits=LIMITS, blocked=blocked).judge(letter_of(), NOW_MS)
    assert judgement.outcome is outcome
    assert all(report.data is None and report.position.icao24 != REPORT.icao24 for report in judgement.reports)


def test_a_letter_goes_back_once() -> None:
    entries: list[Letter | Mark] = [
        letter_of(offset=0),
        letter_of(offset=1),
        Mark(of=(0, 0), replayed_at="", reports=1),
    ]
    judgements = judged(entries, frozenset({(0, 0)}), Wanted(), RULES, lambda: NOW_MS)
    assert [(j.letter.id, j.outcome) for j in judgements] == [
        ("0:0", Outcome.ALREADY_REPLAYED),
        ("0:1", Outcome.REPLAYED),
    ]


def test_only_what_is_wanted_is_judged() -> None:
    entries = [letter_of(offset=0), letter_of(offset=1)]
    wanted = Wanted(places=frozenset({(0, 1)}))
    assert [j.letter.id for j in judged(entries, frozenset(), wanted, RULES, lambda: NOW_MS)] == ["0:1"]
    assert not list(judged(entries, frozenset(), Wanted(reason=Reason.TOO_LATE), RULES, lambda: NOW_MS))


def test_the_summary_counts_by_reason() -> None:
    summary = Summary()
    for found in (letter_of(), letter_of(replace(REPORT, latitude=91.0)), letter_of(format_="beast")):
        summary.count(RULES.judge(found, NOW_MS))
    assert summary.reports == 1
    assert summary.outcomes == {Outcome.REPLAYED: 1, Outcome.REFUSED_AGAIN: 1, Outcome.NOT_REPLAYABLE: 1}
    assert summary.reasons == {Reason.OUT_OF_RANGE: 1}
    assert len(summary.not_replayable) == 1
