import pytest

from flight_platform.live.client import _missing, _newest_copies, _Told

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


def item(flight: bytes, time: int) -> list[object]:
    return [flight, [b"1", b"2"], [b"known", b"0", b"time", b"%d" % time]]


def test_the_newest_copy_wins_and_what_has_expired_is_not_shown() -> None:
    copies = _newest_copies([item(b"a", 100), item(b"b", 90), item(b"a", 120), item(b"a", 110), item(b"c", 50)], 50)
    assert [(copy.item[0], copy.time) for copy in copies] == [(b"a", 120), (b"b", 90)]


def test_an_object_that_is_not_ours_is_no_answer() -> None:
    assert _newest_copies([[b"x", [b"1", b"2"]], [b"y", [b"1", b"2"], [b"alt", b"3"]]], 50) == []
