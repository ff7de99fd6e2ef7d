"""What live and history know of the last minute, compared."""

import pytest

from flight_platform.history.live_history import compare

SINCE, BEFORE = 1_000, 50_000


@pytest.mark.parametrize(
    ("live", "history", "settled", "not_live", "not_in_history"),
    [
        ({1: 40_000}, {1: 40_000}, {1: 40_000}, (), ()),
        ({}, {1: 40_000}, {1: 40_000}, (1,), ()),
        ({1: 40_000}, {}, {}, (), (1,)),
        ({1: 30_000}, {1: 40_000}, {1: 40_000}, (1,), ()),
        ({1: 40_000}, {1: 30_000}, {1: 30_000}, (), (1,)),
        ({1: 55_000}, {1: 40_000}, {1: 40_000}, (), ()),
        ({1: 40_000}, {1: 55_000}, {1: 40_000}, (), ()),
        ({}, {1: 900}, {1: 900}, (), ()),
    ],
    ids=[
        "the same",
        "live lacks it",
        "history lacks it",
        "live is older",
        "history is older",
        "on its way to history",
        "on its way to live",
        "left the window",
    ],
)
def test_what_settled_must_be_in_both(
    live: dict[int, int],
    history: dict[int, int],
    settled: dict[int, int],
    not_live: tuple[int, ...],
    not_in_history: tuple[int, ...],
) -> None:
    found = compare(live, history, settled, before_ms=BEFORE, since_ms=SINCE)
    assert (found.not_live, found.not_in_history) == (not_live, not_in_history)
    assert found.share == (0.0 if not_live or not_in_history else 1.0)


def test_an_empty_sky_agrees() -> None:
    assert compare({}, {}, {}, before_ms=BEFORE, since_ms=SINCE).share == 1.0
