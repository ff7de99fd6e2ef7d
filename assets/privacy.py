"""Job `forget_aircraft`: what `flight forget` does, for who works in Dagster's pages. How: `flight_platform/privacy/`.

A job and no asset: it makes nothing that could be fresh or stale, and each run is somebody's decision.
"""

from typing import Any

import dagster as dg

from assets.resources import Platform
from flight_platform.privacy.forget import forget
from flight_platform.privacy.rules import Subject


class ForgetConfig(dg.Config):
    """Of whom, why and by whom: one of the three names is given."""

    icao24: str = ""
    registration: str = ""
    callsign: str = ""
    reason: str
    by: str


@dg.op(description="Erases an aircraft from every store and keeps it out; safe to run again.")
def forget_it(context: dg.OpExecutionContext, config: ForgetConfig, platform: Platform) -> dict[str, Any]:
    """The counts of what was erased, by store."""
    subject = Subject.of(icao24=config.icao24, registration=config.registration, callsign=config.callsign)
    settings = platform.settings()
    with platform.connect(settings) as connection:
        done = forget(
            settings,
            connection,
            subject,
            reason=config.reason,
            actor=config.by,
            told=lambda step: context.log.info(step),
        )
    context.add_output_metadata({**done.counts, "rules": done.rule_ids, "audit": done.audit_id})
    return dict(done.counts)


@dg.job(
    description=(
        "Forgets an aircraft: out of live, history, archive and the trackers' state, and onto the block list. Give "
        "`icao24`, `registration` or `callsign`, the `reason`, and who you are (`by`); it cannot be undone."
    ),
)
def forget_aircraft() -> None:
    """One step."""
    forget_it()
