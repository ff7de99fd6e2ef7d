"""The share of what is refused, by source and for the tracker, against what is usual there.

A source of poor quality is refused a tenth of its reports every day and nobody need be called; another one that begins
to send rubbish is. What is reported as unusual does not become usual.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from flight_platform.names import Reason, Stage
from flight_platform.watch.alerts import Alert
from flight_platform.watch.freshness import Hop
from flight_platform.watch.shares import Rule, Tally

TIMES_USUAL: Final = 4.0
LEAST_SHARE: Final = 0.02  # below it nobody is called, however good a source is used to be
RULE: Final = Rule(
    limit=lambda usual: max(LEAST_SHARE, TIMES_USUAL * usual),
    least=50,
    first_usual=0.0125,  # one in twenty alerts
    at_once=True,
    gets_used=False,
)


def counted(hops: Iterable[Hop]) -> dict[str, tuple[int, int]]:
    """What each feed, and the tracker, have taken and refused since they started."""
    found = {}
    for hop in hops:
        if hop.stage in {Stage.FEED, Stage.TRACK} and hop.alive:
            refused = sum(hop.counters.get(reason, 0) for reason in Reason)
            taken = sum(hop.counters.get(outcome, 0) for outcome in ("accepted", "passed", "repeat"))
            found[hop.name] = (taken, refused)
    return found


def alerts_of(tallies: Mapping[str, Tally]) -> list[Alert]:
    """One alert for each that refuses more than it is used to."""
    return [
        Alert(
            key=f"dead_letters:{name}",
            hop=name.partition(":")[0],
            source=name.partition(":")[2],
            severity="warning",
            summary=f"{name} refuses {tally.recent:.1%} of its reports; {tally.usual or 0:.1%} are usual",
            since=datetime.fromtimestamp(tally.since, UTC),
            last_good=datetime.fromtimestamp(tally.since, UTC),  # when the window began before which it was as usual
            cause="the source has changed its format or sends rubbish, or a clock is wrong",
            to_do="`flight dead-letters list --since 1h` counts them by source and reason; `show` has the bytes.",
            runbook="dead-letters",
        )
        for name, tally in sorted(tallies.items())
        if tally.since is not None
    ]
