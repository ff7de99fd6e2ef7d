"""The words that people read. Delivery needs a database: tests/integration/dagster/test_alerts.py."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flight_platform.watch.outbox import message

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)


def incident(closed_at: datetime | None = None, last_good: datetime | None = SINCE) -> dict[str, Any]:
    return {
        "key": "stall:source:paris",
        "severity": "critical",
        "summary": "source paris has stopped: it is silent",
        "since": SINCE,
        "last_good": last_good,
        "closed_at": closed_at,
        "runbook": "stall-source",
        "detail": {"cause": "it is silent", "to_do": "See whether the source answers."},
    }


def test_an_alert_says_what_since_when_last_good_value_cause_what_to_do_and_where_that_is_explained() -> None:
    title, body = message(incident(), "https://wiki.example/runbooks/")
    assert title == "[critical] stall:source:paris"
    assert body.splitlines() == [
        "source paris has stopped: it is silent",
        "Since: 2026-01-31 12:00:00 UTC",
        "Last good value: 2026-01-31 12:00:00 UTC",
        "Likely cause: it is silent",
        "What to do: See whether the source answers.",
        "Runbook: https://wiki.example/runbooks/stall-source.md",
    ]


def test_a_last_good_value_that_never_was_is_none() -> None:
    assert "Last good value: none" in message(incident(last_good=None))[1]


def test_an_all_clear_says_how_long_it_lasted() -> None:
    title, body = message(incident(SINCE + timedelta(seconds=31)))
    assert title == "[resolved] stall:source:paris"
    assert "31 s" in body
