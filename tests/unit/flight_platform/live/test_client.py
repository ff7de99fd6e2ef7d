import pytest

from flight_platform.live.client import _AT_ONCE, _merged, _missing, _report, _Told

FULL = {0: 5, 1: 7}


@pytest.mark.parametrize(
    ("watermarks", "copies", "missing"),
    [
        ({"a": FULL, "b": FULL}, 1, ()),
        ({"a": FULL, "b": None}, 1, ("b",)),
        ({"a": FULL, "b": None}, 2, ()),
        ({"a": FULL, "b": {}}, 1, ("b",)),  # b was restarted and is not filled yet
        ({"a": FULL, "b": {}}, 2, ()),
        ({"a": FULL, "b": None, "c": {}}, 2, ("b", "c")),
        ({"a": {0: 5}, "b": {0: 5}}, 2, ("partition 1",)),
        ({"a": {0: 5}, "b": FULL}, 1, ("a",)),
        ({"a": {0: 5}, "b": None}, 1, ("b", "partition 1")),
    ],
)
def test_what_is_missing(watermarks: dict[str, dict[int, int] | None], copies: int, missing: tuple[str, ...]) -> None:
    assert _missing(_Told(watermarks=watermarks, partitions=2), copies) == missing


def test_without_a_consumer_all_partitions_are_missing() -> None:
    assert _missing(_Told(watermarks={"a": {}, "b": None}), 2) == ("b", "all partitions")


def item(number: int, time: int) -> list[object]:
    return [b"00000%d-67a1b2c3" % number, [b"1", b"2"], [b"known", b"0", b"time", b"%d" % time]]


def test_the_newest_copy_wins_and_what_has_expired_is_not_shown() -> None:
    merged = _merged([item(1, 100), item(2, 90), item(1, 120), item(1, 110), item(3, 50)], 50, None)
    assert [(position.icao24, position.time) for position in merged] == [("000001", 120), ("000002", 90)]


def test_an_object_that_is_not_ours_is_no_answer() -> None:
    assert _merged([[b"x", [b"1", b"2"]], [b"y", [b"1", b"2"], [b"alt", b"3"]]], 50, None) == []


def test_of_a_whole_world_no_report_is_kept() -> None:
    _report.cache_clear()
    world = [item(1, 100) for _ in range(_AT_ONCE + 1)]
    assert _merged(world, 50, None) == _merged(world[:1], 50, None)
    assert _report.cache_info().currsize == 1
