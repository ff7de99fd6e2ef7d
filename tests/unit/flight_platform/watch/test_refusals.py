"""When a share of refusals is unusual: a source is compared with itself."""

from flight_platform.watch.freshness import Hop
from flight_platform.watch.refusals import RULE, alerts_of, counted
from flight_platform.watch.shares import Tally, follow, from_json, to_json

LOOK_S = 30


def run(shares: list[float], *, rate: int = 100, tallies: dict[str, Tally] | None = None) -> dict[str, Tally]:
    """A feed with this share of refusals in each half minute, and `rate` reports a second."""
    tallies = tallies or follow({}, {"feed:paris": (0, 0)}, 0.0, RULE)
    taken, refused = tallies["feed:paris"].others, tallies["feed:paris"].counted
    at = tallies["feed:paris"].at
    for share in shares:
        at += LOOK_S
        refused += round(rate * LOOK_S * share)
        taken += round(rate * LOOK_S * (1 - share))
        tallies = follow(from_json(to_json(tallies)), {"feed:paris": (taken, refused)}, at, RULE)
    return tallies


def keys(tallies: dict[str, Tally]) -> list[str]:
    return [alert.key for alert in alerts_of(tallies)]


def test_a_source_that_begins_to_send_rubbish_is_named_within_a_look() -> None:
    good = run([0.001] * 20)
    assert keys(good) == []
    assert keys(run([0.3], tallies=good)) == ["dead_letters:feed:paris"]


def test_it_is_over_when_a_whole_window_was_as_usual() -> None:
    bad = run([0.3] * 3, tallies=run([0.001] * 20))
    assert keys(run([0.001] * 24, tallies=bad)) == []


def test_a_source_that_was_never_better_is_not_named_in_the_long_run() -> None:
    assert keys(run([0.045] * 2880)) == []
    assert keys(run([0.1], tallies=run([0.045] * 2880))) == []


def test_it_does_not_get_used_to_what_it_reports() -> None:
    assert keys(run([0.3] * 2880, tallies=run([0.001] * 20))) == ["dead_letters:feed:paris"]


def test_a_handful_of_reports_says_nothing() -> None:
    assert keys(run([0.5], rate=1)) == []


def test_a_process_that_started_again_is_compared_with_what_it_was_used_to() -> None:
    used = run([0.04] * 2880)
    usual = used["feed:paris"].usual
    assert follow(used, {"feed:paris": (0, 0)}, 1e6, RULE)["feed:paris"].usual == usual


def test_what_is_counted_are_refusals_by_reason_against_what_was_taken() -> None:
    feed = Hop(name="feed:paris", processes=1, counters={"accepted": 90, "undecodable": 7, "too_late": 3, "held": 5})
    track = Hop(name="track", processes=1, counters={"passed": 80, "repeat": 5, "implausible": 5})
    dead = Hop(name="feed:zurich", counters={"accepted": 1})
    live = Hop(name="live", processes=1, counters={"written": 80})
    assert counted([feed, track, dead, live]) == {"feed:paris": (90, 10), "track": (85, 5)}


def test_what_an_older_version_has_left_is_forgotten() -> None:
    assert from_json({"feed:paris": {"unheard_of": 1}}) == {}
