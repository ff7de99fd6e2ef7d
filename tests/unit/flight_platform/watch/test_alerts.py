"""What an alert says. That it comes once, and to whom, needs a database: tests/integration/dagster."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert, digest, receivers
from flight_platform.watch.freshness import Cause, Stall

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)


def alert(stage: Stage = Stage.SOURCE, source: str = "paris") -> Alert:
    return Alert.of(
        Stall(
            stage=stage,
            source=source,
            since=SINCE,
            last_good=SINCE - timedelta(seconds=2),
            cause=Cause.SOURCE_STALLED,
            detail="it is silent",
        )
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


def test_a_partition_that_stands_still_is_no_hop_that_has_stopped_and_has_advice_of_its_own() -> None:
    stall = Stall(
        stage=Stage.TRACK, source="", since=SINCE, last_good=SINCE, cause=Cause.PARTITION_STUCK, detail="partition 3"
    )
    made = Alert.of(stall)
    assert (made.key, made.summary) == ("stall:track", "track does not get on in a part: partition 3")
    assert "transaction" in made.to_do
    page = (Path(__file__).parents[4] / "docs" / "runbooks" / f"{made.runbook}.md").read_text()
    assert "`partition_stuck`" in page


@pytest.mark.parametrize("stage", Stage)
def test_each_hop_has_its_advice(stage: Stage) -> None:
    assert alert(stage).to_do


@pytest.mark.parametrize("stage", Stage)
def test_each_hop_has_its_runbook(stage: Stage) -> None:
    assert (Path(__file__).parents[4] / "docs" / "runbooks" / f"{alert(stage).runbook}.md").is_file()


def test_alertmanager_is_told_where_there_is_one_and_each_receiver_where_there_is_none() -> None:
    mail = "mailto://user:secret@mail.example"
    assert receivers(Settings.read(alert_urls=mail)) == (mail,)
    assert receivers(Settings.read(alert_urls=mail, alertmanager_url="http://hub:9093")) == ("http://hub:9093",)


def test_a_receiver_is_known_by_what_tells_no_password() -> None:
    assert digest("mailto://user:secret@mail.example") == digest("mailto://user:secret@mail.example")
    assert "secret" not in digest("mailto://user:secret@mail.example")
