"""What a consumer says of partitions in which it does not get on."""

from flight_platform.watch.standstill import SHORT_S, TRUST_S, UNREAD, Standstill, told


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def still(places: list[dict[int, tuple[int, int]]], every_s: float = 1.0) -> dict[int, float]:
    """What is told after these looks, one each second: partition, and for how long it stands still."""
    clock = Clock()
    standstill = Standstill(clock)
    for place in places:
        clock.now += every_s
        standstill.look(place)
    return told(standstill.concerns())


def test_a_partition_that_does_not_get_on_though_records_lie_before_it_stands_still() -> None:
    assert still([{0: (7, 3), 1: (n, 3)} for n in range(10)]) == {0: 9}


def test_one_that_has_all_there_is_stands_still_for_nobody_and_neither_does_what_may_be_the_next_fetch() -> None:
    assert still([{0: (7, 0)}] * 10) == {}
    assert still([{0: (7, 0)}] * 10 + [{0: (7, 3)}] * round(SHORT_S)) == {}


def test_it_is_over_with_the_first_record_and_where_another_process_has_the_partition() -> None:
    stuck = [{0: (7, 3)}] * 10
    assert still(stuck) == {0: 9}
    assert still([*stuck, {0: (8, 2)}]) == {}
    assert still([*stuck, {}]) == {}
    assert still([*stuck, {}, {0: (7, 3)}]) == {}


def test_where_the_loop_hangs_all_its_partitions_stand_still() -> None:
    clock = Clock()
    standstill = Standstill(clock)
    standstill.look({0: (7, 0), 4: (9, 1)})
    clock.now += 20
    assert told(standstill.concerns()) == {0: 20, 4: 20}


def test_a_process_that_has_no_partition_says_nothing_however_seldom_it_looks() -> None:
    clock = Clock()
    standstill = Standstill(clock)
    clock.now += 100
    assert standstill.concerns() == {}


def test_who_looks_from_outside_tells_of_what_stands_still_and_of_nothing_when_it_does_not_look_any_more() -> None:
    clock = Clock()
    outside = Standstill(clock, outside=True)
    for place in range(4):
        clock.now += SHORT_S - 1
        outside.look({0: (7, 3), 1: (place, 3)})
    assert told(outside.concerns(), UNREAD) == {0: 3 * (SHORT_S - 1)}
    assert told(outside.concerns()) == {}
    outside.look({0: (7, 0)})
    clock.now += SHORT_S - 1
    outside.look({0: (7, 1)})  # it came just now, and not when it was looked at last
    clock.now += SHORT_S - 1
    assert outside.concerns() == {}
    outside.look({0: (7, 1)})
    clock.now += TRUST_S - 1
    assert 0 in told(outside.concerns(), UNREAD)
    clock.now += 2
    assert outside.concerns() == {}


def test_other_concerns_are_not_taken_for_partitions() -> None:
    assert told({"credits": "they are spent", "partition 11": "7.5"}) == {11: 7.5}
