"""Sources of which hardly anything is new any more: the tracker takes what they send and drops it, so that all moves.

A source that sends the same over and over is no stall, if only its clock goes on. But two receivers that hear the same
aircraft repeat each other all day, and then one of them hardly adds anything: so a source is compared with itself. One
of which a fifth was always new, and of which a twentieth is, is named; within a day that becomes what is usual, since a
second receiver nearby is no fault. Of a recording, which may be given again, nothing is said.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from flight_platform.names import Stage
from flight_platform.watch.alerts import Alert
from flight_platform.watch.freshness import Hop
from flight_platform.watch.shares import Rule, Tally

NEW: Final = "new:"  # counters of the tracker's heartbeat, followed by the name of the source
REPEATED: Final = "repeat:"
NEARLY_ALL: Final = 0.95
MOST_USUAL: Final = 0.80  # one that repeats more than this every day is not named: what it adds may well be nothing
RULE: Final = Rule(
    limit=lambda usual: NEARLY_ALL if usual <= MOST_USUAL else 1.0,
    least=50,
    first_usual=None,
    at_once=False,
    gets_used=True,
)


def counted(hops: Iterable[Hop]) -> dict[str, tuple[int, int]]:
    """What the tracker has taken of each source that cannot repeat: what was new, and what was not."""
    by_name = {hop.name: hop for hop in hops}
    track = by_name.get(Stage.TRACK)
    if track is None or not track.alive:
        return {}
    found = {}
    for counter, new in track.counters.items():
        source = counter.removeprefix(NEW)
        feed = by_name.get(f"{Stage.FEED}:{source}")
        if counter.startswith(NEW) and feed is not None and not feed.repeatable:
            found[source] = (new, track.counters.get(f"{REPEATED}{source}", 0))
    return found


def alerts_of(tallies: Mapping[str, Tally]) -> list[Alert]:
    """One alert for each source that gives hardly anything new, and did before."""
    return [
        Alert(
            key=f"repeats:{source}",
            hop=str(Stage.SOURCE),
            source=source,
            severity="warning",
            summary=f"source {source} gives {tally.recent:.1%} repeats; {tally.usual or 0:.1%} are usual",
            since=datetime.fromtimestamp(tally.since, UTC),
            last_good=datetime.fromtimestamp(tally.since, UTC),  # when the window began before which it was as usual
            cause="it sends the same over and over, or another source gives the same",
            to_do="See what it sends (`flight feed SOURCE --dry-run`), and whether two feeds read one receiver.",
        )
        for source, tally in sorted(tallies.items())
        if tally.since is not None
    ]
