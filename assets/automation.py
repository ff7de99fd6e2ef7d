"""When an asset of closed hours follows `history/hours` by itself: one condition for all, and the sensor that asks.

An hour is asked for when it is missing and what it is made of is there, whatever was missed in a downtime included, and
again when that was made anew (late rows, an hour checked again). Not `AutomationCondition.on_missing()`, which skips
what was missed; not `eager()`, which looks at the last hour alone. One that failed is tried again every ten minutes.
"""

from typing import Final

import dagster as dg

from assets.previews import accepted

_TRY_AGAIN: Final = "*/10 * * * *"


def _follows() -> "dg.AutomationCondition[dg.AssetKey]":
    condition = dg.AutomationCondition
    lacking = condition.missing() & (~condition.execution_failed() | condition.cron_tick_passed(_TRY_AGAIN))
    renewed = condition.any_deps_updated().since_last_handled()
    busy = condition.in_progress() | condition.any_deps_in_progress()
    return ((lacking | renewed) & ~condition.any_deps_missing() & ~busy).with_label("follows its closed hours")


with accepted():
    FOLLOWS: Final = _follows()
    automation: Final = dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,  # it is STOPPED where nothing is said
        description="Asks for the hours of those assets that follow others by themselves.",
    )
