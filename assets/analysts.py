"""The sensor `analysts`: ends the analysts' sessions that run on after their time. How is `history/roles.py`'s part."""

import dagster as dg
import structlog

from assets.resources import Platform
from flight_platform.history.roles import end_overlong

log = structlog.get_logger()


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Ends the analysts' sessions whose statement runs for more than two minutes, or whose transaction is open for "
        "more than half an hour: their own time limit is a default that a session can set aside."
    ),
)
def analysts(platform: Platform) -> dg.SkipReason:
    """One look; there is never a run to ask for."""
    settings = platform.settings()
    with platform.connect(settings) as connection:
        ended = end_overlong(connection, settings.analyst_url.get_secret_value())
    for session in ended:
        log.warning("analyst_ended", pid=session.pid, open_s=session.open_s, question=session.question)
    return dg.SkipReason(f"{len(ended)} sessions ended" if ended else "all keep to their time")
