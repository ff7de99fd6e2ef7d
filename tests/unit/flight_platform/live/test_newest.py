import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.live.newest import Newest
from tests.integration.live.samples import columns_of, sample

REPORTS = st.tuples(
    st.integers(0, 6), st.integers(0, 5), st.integers(0, 40_000)
)  # flight, time, something to tell apart
T0 = 1_700_000_000_000


@settings(deadline=None)  # the first call builds tables
@given(st.lists(st.lists(REPORTS, min_size=1, max_size=12), max_size=8))
def test_it_holds_the_first_of_the_newest_reports_of_each_flight(batches: list[list[tuple[int, int, int]]]) -> None:
    newest = Newest()
    expected: dict[int, tuple[int, int]] = {}
    for batch in batches:
        before = dict(expected)
        for flight, time, altitude in batch:
            if flight not in expected or time > expected[flight][0]:
                expected[flight] = (time, altitude)
        columns = columns_of([sample(flight, T0 + time, altitude_ft=altitude) for flight, time, altitude in batch])
        news = newest.merge(columns, np.array([flight % 3 for flight, _, _ in batch]))
        assert {batch[row][0] for row in news} == {
            flight for flight in expected if expected[flight] != before.get(flight)
        }
        assert all(batch[row][1:] == expected[batch[row][0]] for row in news)
    held = newest.rows([0, 1, 2])
    ids = (held["flight_id"] >> 32) - 0x3C0000
    assert dict(zip(ids, zip(held["time"] - T0, held["altitude_ft"], strict=True), strict=True)) == expected


def filled(count: int) -> Newest:
    newest = Newest()
    for start in range(0, count, 700):
        numbers = range(start, min(start + 700, count))
        newest.merge(columns_of([sample(n, T0 + n) for n in numbers]), np.array([n % 4 for n in numbers]))
    return newest


def test_it_grows() -> None:
    newest = filled(5000)
    rows = newest.rows(range(4))
    assert len(newest) == len(rows) == 5000
    assert (np.sort(rows["time"]) == T0 + np.arange(5000)).all()


def test_what_is_dropped_is_gone_and_may_come_again() -> None:
    newest = filled(3000)
    newest.drop_older(T0 + 1000)
    newest.drop_partitions([3])
    assert len(newest) == 1500
    assert len(newest.rows([3])) == 0
    back = columns_of([sample(3, T0 + 1), sample(1001, T0 + 1), sample(1001, T0 + 9999)])
    assert newest.merge(back, np.array([3, 1, 1])).tolist() == [0, 2]
    assert len(newest) == 1501
    assert newest.rows([3])["time"].tolist() == [T0 + 1]
