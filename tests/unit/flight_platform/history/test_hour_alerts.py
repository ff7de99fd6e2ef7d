"""Red hours as alerts: one each, and one for missing hours in a row; blocked compaction is one of its own."""

from datetime import UTC, datetime, timedelta

from flight_platform.history.hour_alerts import compaction_alerts, hour_alerts
from flight_platform.history.verdicts import Presence, RedHour

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
DAY = timedelta(days=1)


def red(hours: int, presence: Presence = Presence.FILLED) -> RedHour:
    failures = ({"name": "altitude_ft is possible", "observed": "3 of 9 rows are not"},)
    hour = START + timedelta(hours=hours)
    return RedHour(hour=hour, since=hour + DAY, rows=9, presence=presence, failures=failures)


def test_each_red_hour_is_an_alert_that_names_what_is_wrong() -> None:
    first, second = hour_alerts([red(0), red(1)])
    assert (first.key, second.key) == ("hour:2026-01-31T22", "hour:2026-01-31T23")
    assert first.summary == "the hour 2026-01-31 22:00 UTC is not as expected: altitude_ft is possible"
    assert first.cause == "altitude_ft is possible: 3 of 9 rows are not"
    assert first.since == START + DAY


def test_missing_hours_in_a_row_are_one_alert_whose_key_stays_as_it_grows() -> None:
    missing = [red(n, Presence.MISSING) for n in (0, 1, 2)]
    (night,) = hour_alerts(missing)
    assert night.key == hour_alerts(missing[:1])[0].key
    assert night.summary.startswith("3 hours from 2026-01-31 22:00 UTC to 2026-02-01 00:00 UTC are missing")
    assert len(hour_alerts([missing[0], red(1), missing[2]])) == 3
    assert len(hour_alerts([missing[0], missing[2]])) == 2


def test_hours_that_stay_raw_are_one_alert_with_what_holds_back_the_oldest() -> None:
    assert compaction_alerts([], DAY) == []
    (blocked,) = compaction_alerts([(START, False), (START + timedelta(hours=1), True)], DAY)
    assert blocked.summary == "2 hours are raw more than 24 h after their end; 1 of them are red"
    assert blocked.cause == "the oldest is 2026-01-31 22:00 UTC: it is red, and nobody has accepted it"
    (idle,) = compaction_alerts([(START, True)], DAY)
    assert idle.cause.endswith("compaction does not run")
