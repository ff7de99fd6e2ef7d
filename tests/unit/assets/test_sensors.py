"""What the heartbeat sensor tells Dagster, and how often."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.sensors import Cursor, asset_changes, asset_reports
from flight_platform.names import Stage
from flight_platform.watch.freshness import Cause, Hop, Memory, Pulse, Sighting, Stall

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def sighting(*stalled: Stall, seconds: int = 0, records: int = 1000) -> Sighting:
    now = NOW + timedelta(seconds=seconds)
    hops = {
        name: Hop(
            name=name,
            processes=1,
            beat_at=now.timestamp(),
            watermark=now.timestamp(),
            lag_records=3,
            counters={"accepted": records},
            watermarks={} if ":" in name else {"paris": now.timestamp(), "bern": NOW.timestamp()},
        )
        for name in ("feed:paris", "source:paris", "track", "live", "history")
    }
    return Sighting(now=now, hops=hops, stalls=stalled, memory=Memory(at=now.timestamp(), pulses={}))


def stall(stage: Stage, source: str = "") -> Stall:
    return Stall(stage=stage, source=source, since=NOW, last_good=NOW, cause=Cause.CONSUMER_DEAD, detail="a test")


def checks(cursor: Cursor, seen: Sighting) -> dict[str, bool]:
    return {event.asset_key.to_user_string(): event.passed for event in asset_changes(seen, cursor)}


def test_a_check_is_told_at_first_and_at_each_change_only() -> None:
    cursor = Cursor()
    assert set(checks(cursor, sighting())) == {"kafka/reports", "kafka/positions", "live/flights", "history/positions"}
    assert checks(cursor, sighting()) == {}
    assert checks(cursor, sighting(stall(Stage.SOURCE, "paris"))) == {"kafka/reports": False}
    assert checks(cursor, sighting(stall(Stage.SOURCE, "paris"))) == {}
    assert checks(cursor, sighting(stall(Stage.LIVE))) == {"kafka/reports": True, "live/flights": False}


def test_a_stream_is_reported_once_a_minute_with_its_figures() -> None:
    cursor = Cursor()
    assert len(list(asset_reports(sighting(), cursor))) == 4
    assert list(asset_reports(sighting(seconds=55), cursor)) == []
    events = {e.asset_key.to_user_string(): e for e in asset_reports(sighting(seconds=60, records=7000), cursor)}
    assert len(events) == 4
    figures: Mapping[str, dg.MetadataValue] = events["kafka/reports"].metadata
    assert figures["records per second"].value == 100.0
    assert figures["lag, records"].value == 3
    assert figures["sources"].value == "paris"
    assert figures["watermark"].value == (NOW + timedelta(seconds=60)).timestamp()
    newest = (NOW + timedelta(seconds=60)).isoformat()
    assert figures["watermark by source"].value == {"paris": newest}
    for stream in ("kafka/positions", "live/flights", "history/positions"):
        told = events[stream].metadata["watermark by source"].value
        assert told == {"bern": NOW.isoformat(), "paris": newest}


def test_a_stream_that_has_stopped_is_not_reported() -> None:
    cursor, seen = Cursor(), sighting(stall(Stage.HISTORY))
    list(asset_changes(seen, cursor))
    assert "history/positions" not in {e.asset_key.to_user_string() for e in asset_reports(seen, cursor)}


def test_a_process_that_begins_to_count_anew_has_no_rate() -> None:
    cursor = Cursor()
    list(asset_reports(sighting(), cursor))
    assert all("records per second" not in e.metadata for e in asset_reports(sighting(seconds=60, records=5), cursor))


def test_the_cursor_comes_back_as_it_was_written() -> None:
    pulse = Pulse(good_at=1.0, moved_at=2.0, resumed_at=3.0, behind_s=float("inf"))
    cursor = Cursor(
        memory=Memory(at=4.0, pulses={"track": pulse}, open_names=("track",)),
        reported={"kafka/reports": (1.0, 2)},
        stopped={"a": ["track"]},
        looked_after_at=5.0,
        nobody_is_told=True,
    )
    assert Cursor.read(cursor.write()) == cursor


@pytest.mark.parametrize("text", [None, "", "{}", "no JSON", '{"reported": {"a": 1}}', "[]"])
def test_a_cursor_of_another_version_begins_anew(text: str | None) -> None:
    assert Cursor.read(text) == Cursor()
