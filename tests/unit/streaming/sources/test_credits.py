"""OpenSky's credits: what a request costs, and how far apart polls must be."""

import pytest

from streaming.sources.credits import DAY_S, Budget, cost_of
from streaming.sources.kinds import BoundingBox


@pytest.mark.parametrize(
    ("box", "cost"),
    [
        ((0, 0, 5, 5), 1),  # 25 square degrees
        ((0, 0, 5.1, 5), 2),
        ((0, 0, 10, 10), 2),
        ((0, 0, 20, 20), 3),
        ((0, 0, 20, 20.1), 4),
        (None, 4),
    ],
)
def test_what_a_box_costs(box: BoundingBox | None, cost: int) -> None:
    assert cost_of(box) == cost


def test_without_a_word_of_the_server_the_day_is_divided_by_its_credits() -> None:
    assert Budget(cost=4, account=False, now_s=0).interval_s(0) == 864
    assert Budget(cost=4, account=True, now_s=0).interval_s(0) == pytest.approx(86.4)
    assert Budget(cost=1, account=True, now_s=0).interval_s(0) == pytest.approx(21.6)


def test_what_is_left_is_spread_over_what_is_left_of_the_day() -> None:
    budget = Budget(cost=4, account=True, now_s=1_000)
    budget.told(7_996, 1_000)  # a feeder's 8,000, after the first poll
    assert budget.interval_s(1_000) == pytest.approx(DAY_S / 1_999)
    budget.told(400, 1_000 + DAY_S / 2)  # somebody else spends too
    assert budget.interval_s(1_000 + DAY_S / 2) == pytest.approx(432)


def test_polling_by_the_budget_never_spends_more_than_there_is() -> None:
    budget, now_s, left, polls = Budget(cost=3, account=False, now_s=0), 0.0, 400, 0
    while now_s < DAY_S:
        left, polls = left - 3, polls + 1
        assert left >= 0
        budget.told(left, now_s)
        now_s += budget.interval_s(now_s)
    assert polls in {132, 133}  # 400 // 3: as many as they allow, the last of them at midnight


def test_new_credits_start_a_new_day() -> None:
    budget = Budget(cost=4, account=True, now_s=0)
    budget.told(40, DAY_S - 100)
    assert budget.interval_s(DAY_S - 100) == 10
    budget.told(3_996, DAY_S - 90)
    assert budget.interval_s(DAY_S - 90) == pytest.approx(DAY_S / 999)


def test_a_day_without_a_rise_is_followed_by_another() -> None:
    budget = Budget(cost=4, account=True, now_s=0)
    budget.told(400, 0)
    assert budget.interval_s(DAY_S + 1) == pytest.approx(864)


def test_nobody_asks_more_often_than_the_answers_change() -> None:
    budget = Budget(cost=1, account=True, now_s=0)
    budget.told(14_400 * 24, 0)
    assert budget.interval_s(0) == 5


def test_without_credits_the_next_poll_asks_when_they_come() -> None:
    budget = Budget(cost=4, account=False, now_s=0)
    budget.told(3, 0)
    assert budget.interval_s(0) == 864


def test_another_server_is_rationed_only_where_it_says_so() -> None:
    budget = Budget(cost=4, account=False, now_s=0, limited=False)
    assert (budget.rationed, budget.interval_s(0)) == (False, 10)
    budget.told(400, 0)
    assert (budget.rationed, budget.interval_s(0)) == (True, 864)
