"""The words of an alert. That it comes once, and to whom, needs a database: tests/integration/dagster."""

from datetime import UTC, datetime, timedelta

import pytest

from flight_platform.alerts import Alert, message
from flight_platform.freshness import Stall
from flight_platform.names import Stage

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)


def alert(stage: Stage = Stage.SOURCE, source: str = "paris") -> Alert:
    return Alert.of(
        Stall(stage=stage, source=source, since=SINCE, last_good=SINCE - timedelta(seconds=2), cause="it is silent")
    )


@pytest.mark.parametrize(
    ("stage", "source", "key", "summary"),
    [
        (Stage.SOURCE, "paris", "stall:source:paris", "source paris has stopped: it is silent"),
        (Stage.FEED, "paris", "stall:feed:paris", "feed paris has stopped: it is silent"),
        (Stage.HISTORY, "", "stall:history", "history has stopped: it is silent"),
    ],
)
def test_an_alert_is_known_by_its_hop_and_source(stage: Stage, source: str, key: str, summary: str) -> None:
    made = alert(stage, source)
    assert (made.key, made.hop, made.source, made.summary) == (key, stage, source, summary)


@pytest.mark.parametrize("stage", Stage)
def test_each_hop_has_its_advice(stage: Stage) -> None:
    assert alert(stage).to_do


def incident(closed_at: datetime | None, last_good: datetime | None = SINCE) -> dict[str, object]:
    made = alert()
    return {
        "key": made.key,
        "severity": made.severity,
        "summary": made.summary,
        "since": SINCE,
        "last_good": last_good,
        "closed_at": closed_at,
        "detail": {"cause": made.cause, "to_do": made.to_do},
    }


def test_an_alert_says_what_since_when_last_good_value_cause_and_what_to_do() -> None:
    title, body = message(incident(None))
    assert title == "[critical] source:paris has stopped"
    assert body.splitlines()[:4] == [
        "source paris has stopped: it is silent",
        "Since: 2026-01-31 12:00:00 UTC",
        "Last good value: 2026-01-31 12:00:00 UTC",
        "Likely cause: it is silent",
    ]
    assert "What to do: See whether the source answers" in body


def test_a_last_good_value_that_never_was_is_none() -> None:
    assert "Last good value: none" in message(incident(None, last_good=None))[1]


def test_an_all_clear_says_how_long_it_lasted() -> None:
    title, body = message(incident(SINCE + timedelta(seconds=31)))
    assert title == "[resolved] source:paris moves again"
    assert "31 s" in body
