"""The four stream assets, which other processes fill all the time and the heartbeat sensor reports.

kafka/reports ──► kafka/positions ──► live/flights
                                 └──► history/positions
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

import dagster as dg

from assets.resources import Platform
from flight_platform.names import Stage
from flight_platform.watch.alerts import open_stalls

REPORTS: Final = dg.AssetKey(["kafka", "reports"])
POSITIONS: Final = dg.AssetKey(["kafka", "positions"])
LIVE: Final = dg.AssetKey(["live", "flights"])
HISTORY: Final = dg.AssetKey(["history", "positions"])

# Which hops an asset tells of. A source's stall shows on the topic that it should fill.
ASSET_OF: Final[dict[Stage, dg.AssetKey]] = {
    Stage.SOURCE: REPORTS,
    Stage.FEED: REPORTS,
    Stage.TRACK: POSITIONS,
    Stage.LIVE: LIVE,
    Stage.HISTORY: HISTORY,
}
CHECK: Final = "moving"

# The badge for the long view. It cannot tell a stall of 15 s: it looks at materialisations alone (one a minute), twice
# a minute. The sensor tells that.
_BADGE: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=10), warn_window=timedelta(minutes=3))


def _stream(key: dg.AssetKey, description: str, kinds: set[str], deps: tuple[dg.AssetKey, ...] = ()) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=deps,
        description=f"{description}\n\nFilled all the time by a process of its own; reported once a minute by the "
        "sensor `heartbeats`. The check `moving` fails while an incident is open.",
        group_name="streams",
        kinds=kinds,
        owners=["team:platform"],
        freshness_policy=_BADGE,
    )


STREAMS: Final = [
    _stream(
        REPORTS,
        "Topic `flight.reports`: what the sources say, one position report a record. Written by the **feeds**.",
        {"kafka"},
    ),
    _stream(
        POSITIONS,
        "Topic `flight.positions`: what we believe. Repeats and teleports are gone, each report has its flight id. "
        "Written by **track**, exactly once.",
        {"kafka"},
        (REPORTS,),
    ),
    _stream(LIVE, "Who is here now: collection `flights` in Tile38. Written by **live**.", {"tile38"}, (POSITIONS,)),
    _stream(
        HISTORY,
        "Who was where: table `history.positions` in Postgres, a leaf an hour. Written by **history**, exactly once.",
        {"postgres"},
        (POSITIONS,),
    ),
]


STREAM_CHECKS: Final = [
    dg.AssetCheckSpec(CHECK, asset=spec.key, description="The hops that fill it have not stopped.") for spec in STREAMS
]


@dg.multi_asset_check(name="moving", specs=STREAM_CHECKS)
def streams_are_moving(platform: Platform) -> Iterator[dg.AssetCheckResult]:
    """The answer from the open incidents, for who asks by hand; the sensor reports each change by itself."""
    with platform.connect() as connection:
        stopped = open_stalls(connection)
    for spec in STREAMS:
        names = hops_of(spec.key, stopped)
        yield dg.AssetCheckResult(
            asset_key=spec.key, check_name=CHECK, passed=not names, metadata={"stopped": ", ".join(names) or "none"}
        )


def hops_of(key: dg.AssetKey, names: Iterable[str]) -> list[str]:
    """Those of the hops, named as in `source:paris` or `track`, of which this asset tells."""
    return sorted(name for name in names if ASSET_OF[Stage(name.partition(":")[0])] == key)
