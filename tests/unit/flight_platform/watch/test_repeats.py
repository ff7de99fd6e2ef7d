"""When a source gives hardly anything new: compared with itself, since receivers nearby repeat each other all day."""

from flight_platform.watch.freshness import Hop
from flight_platform.watch.repeats import RULE, alerts_of, counted
from flight_platform.watch.shares import Tally, follow, from_json, to_json

LOOK_S = 30
FIVE_MINUTES = 300 // LOOK_S
DAY = 86_400 // LOOK_S


def run(share: float, looks: int, tallies: dict[str, Tally] | None = None, *, rate: float = 100) -> dict[str, Tally]:
    """A source of which this share is repeated, with `rate` reports a second."""
    tallies = tallies or follow({}, {"paris": (0, 0)}, 0.0, RULE)
    new, repeated, at = tallies["paris"].others, tallies["paris"].counted, tallies["paris"].at
    for _ in range(looks):
        at += LOOK_S
        repeated += round(rate * LOOK_S * share)
        new += round(rate * LOOK_S * (1 - share))
        tallies = follow(from_json(to_json(tallies)), {"paris": (new, repeated)}, at, RULE)
    return tallies


def keys(tallies: dict[str, Tally]) -> list[str]:
    return [alert.key for alert in alerts_of(tallies)]


def test_a_source_that_sends_the_same_over_and_over_is_named_after_five_minutes_until_it_gives_something_new() -> None:
    good = run(0.3, 10 * FIVE_MINUTES)
    assert keys(run(1.0, FIVE_MINUTES - 1, good)) == []
    bad = run(1.0, FIVE_MINUTES, good)
    assert keys(bad) == ["repeats:paris"]
    assert keys(run(0.3, FIVE_MINUTES, bad)) == []


def test_a_second_receiver_that_never_added_much_is_not_named_when_it_adds_nothing() -> None:
    assert keys(run(1.0, FIVE_MINUTES)) == []
    assert keys(run(1.0, FIVE_MINUTES, run(0.9, 10 * FIVE_MINUTES))) == []


def test_that_another_receiver_came_is_told_and_becomes_usual_within_a_day() -> None:
    before = run(0.0, 10 * FIVE_MINUTES)
    assert keys(run(0.99, DAY // 2, before)) == ["repeats:paris"]
    assert keys(run(0.99, DAY, before)) == []


def test_of_one_that_is_gone_nothing_is_said_any_more() -> None:
    bad = run(1.0, FIVE_MINUTES, run(0.3, 10 * FIVE_MINUTES))
    at = bad["paris"].at
    assert keys(follow(bad, {}, at + 30, RULE)) == ["repeats:paris"]
    gone = follow(bad, {}, at + 601, RULE)
    assert keys(gone) == []
    assert gone["paris"].usual == bad["paris"].usual


def test_a_handful_of_repeats_says_nothing() -> None:
    assert keys(run(1.0, FIVE_MINUTES, run(0.0, 10 * FIVE_MINUTES), rate=0.1)) == []


def test_what_is_counted_is_what_the_tracker_says_of_sources_that_are_no_recordings() -> None:
    counters = {"passed": 9, "new:paris": 7, "repeat:paris": 3, "new:tape": 1, "repeat:tape": 99, "new:gone": 1}
    track = Hop(name="track", processes=1, counters={**counters, "new:berne": 5})
    feeds = [
        Hop(name="feed:paris", processes=1, repeatable=False),
        Hop(name="feed:tape", processes=1, repeatable=True),
        Hop(name="feed:berne", processes=1),
    ]
    assert counted([track, *feeds]) == {"paris": (7, 3), "berne": (5, 0)}
    assert counted([Hop(name="track", counters=counters), *feeds]) == {}
