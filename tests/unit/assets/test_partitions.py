"""The partitions as Dagster sees them."""

from datetime import UTC, datetime, timedelta, timezone

from dagster._core.definitions.partitions.context import partition_loading_context

from assets.partitions import AHEAD_DAYS, HOURS, HOURS_AHEAD, hour_of, hours_ahead, key_of, range_tags

NOW = datetime(2026, 1, 31, 22, 17, tzinfo=UTC)


def test_a_key_is_dagsters_own_for_the_hour_whatever_zone_it_is_given_in() -> None:
    hour = datetime(2026, 1, 31, 23, tzinfo=timezone(timedelta(hours=1)))
    assert key_of(hour) == "2026-01-31-22:00"
    assert hour_of(key_of(hour)) == hour
    assert HOURS.time_window_for_partition_key(key_of(hour)).start == hour


def test_the_hours_ahead_are_the_running_one_and_seven_days_and_all_are_partitions() -> None:
    ahead = hours_ahead(NOW)
    assert (ahead[0], ahead[-1]) == (datetime(2026, 1, 31, 22, tzinfo=UTC), datetime(2026, 2, 7, 22, tzinfo=UTC))
    assert len(ahead) == AHEAD_DAYS * 24 + 1
    with partition_loading_context(effective_dt=NOW):
        assert HOURS_AHEAD.get_last_partition_key() == key_of(ahead[-1])


def test_the_last_closed_hour_is_the_one_before_the_running_one() -> None:
    with partition_loading_context(effective_dt=NOW):
        assert HOURS.get_last_partition_key() == "2026-01-31-21:00"


def test_a_range_is_told_by_its_two_ends() -> None:
    first, *_, last = hours_ahead(NOW)
    assert list(range_tags(first, last).values()) == ["2026-01-31-22:00", "2026-02-07-22:00"]
