"""The demonstration's past: which recordings, moved where."""

from datetime import UTC, datetime, timedelta

from cli.demo import PAST, PRESENT
from cli.demo_run import pasts


def test_yesterday_is_the_day_before_now_at_the_hours_of_the_recording() -> None:
    now = datetime(2026, 1, 31, 0, 30, tzinfo=UTC)
    yesterday, today = pasts(now)
    assert (yesterday.recording, today.recording) == (PRESENT, PAST)
    seconds = int(yesterday.moved[yesterday.moved.index("--shift") + 1])
    recorded = datetime(2021, 10, 7, 12, 0, 1, tzinfo=UTC)
    assert recorded + timedelta(seconds=seconds) == datetime(2026, 1, 30, 12, 0, 1, tzinfo=UTC)
    assert "--backfill" in yesterday.moved, "yesterday may be older than the lateness limit"
