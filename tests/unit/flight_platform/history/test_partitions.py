"""Hours and their names."""

from datetime import UTC, datetime, timedelta, timezone

from flight_platform.history.partitions import leaf_name, start_of_hour


def test_an_hour_is_utcs_whatever_the_zone_of_the_moment() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    moment = datetime(2026, 1, 1, 0, 10, tzinfo=kathmandu)
    assert start_of_hour(moment) == datetime(2025, 12, 31, 18, tzinfo=UTC)
    assert leaf_name(moment) == "positions_2025123118"
