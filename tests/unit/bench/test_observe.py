"""What counts as seen, and from when a latency counts."""

from bench.observe import Due, Observer, Seen, visible
from flight_platform.kafka import now_ms


def test_a_report_counts_from_when_it_was_received() -> None:
    assert visible([(1, 5_000)], {1: (5_000, 5_040)}) == {(1, 5_000): 5_040}


def test_an_overtaken_report_counts_from_when_it_was_due() -> None:
    """A stall of three seconds is three late reports, not one."""
    waiting = [(1, 5_000), (1, 6_000), (1, 7_000), (1, 8_000)]
    assert visible(waiting, {1: (7_000, 7_030)}) == {(1, 5_000): 5_000, (1, 6_000): 6_000, (1, 7_000): 7_030}


def test_nothing_is_seen_of_a_flight_that_is_not_there() -> None:
    assert visible([(1, 5_000), (2, 5_000)], {2: (4_000, 4_001)}) == {}


def observe(schedule: list[Due], found: dict[Due, int]) -> Seen:
    observer = Observer("test", schedule, lambda waiting: {due: found[due] for due in waiting if due in found})
    observer.start()
    observer.join(0.3)
    observer.give_up.set()
    observer.join(5)
    assert observer.problem is None
    return observer.seen


def test_an_observer_ends_when_all_is_seen() -> None:
    now = now_ms()
    seen = observe([(1, now - 100), (2, now - 50)], {(1, now - 100): now - 90, (2, now - 50): now - 40})
    assert len(seen.latencies_ms) == 2
    assert seen.missing == 0
    assert 90 <= max(seen.latencies_ms) < 5_000


def test_what_is_never_seen_is_told_and_counts_as_long_as_it_was_waited_for() -> None:
    now = now_ms()
    seen = observe([(1, now - 10_000), (2, now + 60_000)], {})
    assert seen.missing == 2
    assert len(seen.latencies_ms) == 1
    assert seen.latencies_ms[0] >= 10_000


def test_a_summary_has_the_percentiles_and_the_resolution() -> None:
    seen = Seen(latencies_ms=[float(n) for n in range(1, 1001)], pauses_ms=[5.0, 6.0, 7.0])
    told = seen.summary()
    assert (told["p50"], told["p99"], told["p99.9"]) == (500, 990, 999)
    assert told["samples"] == 1000
    assert told["look_ms"] == 6.0
