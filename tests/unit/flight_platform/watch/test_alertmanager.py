"""An incident as Alertmanager knows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flight_platform.watch.alertmanager import LIFE, _reached, as_alert, is_one, post

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = SINCE + timedelta(minutes=1)


def incident(**changed: Any) -> dict[str, Any]:
    return {
        "key": "dead_letters:feed:paris",
        "hop": "feed",
        "source": "paris",
        "severity": "warning",
        "summary": "feed:paris refuses 9 %",
        "since": SINCE,
        "last_good": None,
        "closed_at": None,
        "cause": "dead_letters",
        "runbook": "dead-letters",
        "detail": {"cause": "rubbish", "to_do": "look"},
    } | changed


def test_the_labels_are_the_same_from_the_first_word_to_the_last() -> None:
    first, last = as_alert(incident(), "r", NOW), as_alert(incident(summary="other words", closed_at=NOW), "r", NOW)
    assert first["labels"] == last["labels"]
    assert first["labels"] == {
        "alertname": "DeadLetters",
        "kind": "dead_letters",
        "name": "feed:paris",
        "hop": "feed",
        "source": "paris",
        "severity": "warning",
        "cause": "dead_letters",
    }


def test_an_open_incident_is_forgotten_only_when_nobody_tells_it_any_more() -> None:
    assert as_alert(incident(), "r", NOW)["endsAt"] == (NOW + LIFE).isoformat()


def test_a_closed_one_carries_its_end() -> None:
    assert as_alert(incident(closed_at=NOW), "r", NOW + LIFE)["endsAt"] == NOW.isoformat()


def test_an_empty_label_is_left_out() -> None:
    assert "source" not in as_alert(incident(source=""), "r", NOW)["labels"]


def test_it_links_its_runbook() -> None:
    assert as_alert(incident(), "https://wiki/", NOW)["annotations"]["runbook_url"] == "https://wiki/dead-letters.md"


@pytest.mark.parametrize(("address", "it_is"), [("http://x:9093", True), ("https://x", True), ("json://x", False)])
def test_an_alertmanager_is_told_from_a_receiver_of_apprise_by_its_address(address: str, it_is: bool) -> None:
    assert is_one(address) is it_is


def test_a_password_goes_into_a_header_and_not_into_the_log() -> None:
    address, headers = _reached("https://user:p%40ss@hub.example:9093/am/")
    assert address == "https://hub.example:9093/am"
    assert headers["Authorization"] == "Basic dXNlcjpwQHNz"


def test_one_that_is_away_has_not_taken_it() -> None:
    assert post("http://127.0.0.1:9", [incident()], "r") is False
