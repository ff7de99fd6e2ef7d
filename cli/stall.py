"""`flight stall`: a demonstration. Holds the sources back and shows the alert and the all-clear as they come.

The feeds are only asked: each reads the seconds from `var/run/stall` when it gets SIGUSR1. The incidents are the
platform's own; nothing here opens or closes one.
"""

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.output import say
from flight_platform.errors import FlightError

if TYPE_CHECKING:
    from flight_platform.settings import Settings

_POLL_S: Final = 0.5
_ALLOWANCE_S: Final = 30.0  # after the stall, for the check's interval and the first reports
_CLOCK_MARGIN: Final = timedelta(seconds=1)


def stall(
    seconds: Annotated[float, typer.Argument(help="How long the sources are held back.", min=1, max=3600)],
    *,
    source: Annotated[str | None, typer.Option(help="Only the feeds of this source.")] = None,
) -> None:
    """Holds sources back, and shows the alert and the all-clear (a demonstration).

    It is as if the sources were silent: what a live one gives meanwhile is lost, and becomes a gap. Files wait.
    """
    from flight_platform.settings import Settings

    settings = Settings.read()
    since = datetime.now(UTC)
    held = hold_back(settings, seconds, source)
    threshold = f"silence of {settings.stall_threshold_s:g} s is a stall"
    say(f"{since:%H:%M:%S}  {', '.join(held)}: held back for {seconds:g} s ({threshold})")
    if seconds <= settings.stall_threshold_s:
        say("          shorter than the threshold: no alert should come")
    try:
        seen = watch(settings, since, seconds + _ALLOWANCE_S, alert_expected=seconds > settings.stall_threshold_s)
    except KeyboardInterrupt:
        say("stopped watching; the feeds go on by themselves")
        return
    if seconds > settings.stall_threshold_s and not seen:
        raise FlightError(
            "no incident was opened: is Dagster running? See `flight status` and `flight logs dagster-daemon`"
        )


def hold_back(settings: "Settings", seconds: float, source: str | None) -> list[str]:
    """Asks the running feeds of this machine; returns their names."""
    from cli.postgres import connected, query, rows

    with connected(settings.postgres_url.get_secret_value()) as connection:
        beats = rows(connection, query("status_heartbeats"))
    feeds = [b for b in beats if b["stage"] == "feed" and b["beat_age_s"] < 5 and source in (None, b["source"])]
    if not feeds:
        what = f"of source {source} " if source else ""
        raise FlightError(f"no feed {what}is running: start one with `flight up --demo`")
    order = settings.var / "run" / "stall"
    order.parent.mkdir(parents=True, exist_ok=True)
    order.write_text(f"{seconds:g}\n")
    for feed in feeds:
        with suppress(ProcessLookupError):
            os.kill(feed["pid"], signal.SIGUSR1)
    return [f"{feed['instance']} ({feed['source']})" for feed in feeds]


def watch(settings: "Settings", since: datetime, limit_s: float, *, alert_expected: bool) -> bool:
    """Prints incidents as they open and close; returns, with whether one came, when all are closed or time is up."""
    from cli.postgres import connected, query, rows

    opened: set[int] = set()
    closed: set[int] = set()
    incidents: list[dict[str, Any]] = []
    end = time.monotonic() + limit_s
    with connected(settings.postgres_url.get_secret_value()) as connection:
        while time.monotonic() < end and not (opened and opened == closed):
            incidents = rows(connection, query("status_incidents_since"), {"since": since - _CLOCK_MARGIN})
            for incident in incidents:
                _tell(incident, since, opened, closed)
            time.sleep(_POLL_S)
            if not alert_expected and not opened and time.monotonic() > end - _ALLOWANCE_S + 5:
                break
    if not opened and not alert_expected:
        say(f"{datetime.now(UTC):%H:%M:%S}  over; no alert came")
    elif opened != closed:
        say(f"{datetime.now(UTC):%H:%M:%S}  still open; `flight status` shows it{_flaps(incidents)}")
    return bool(opened)


def _flaps(incidents: list[dict[str, Any]]) -> str:
    """Why the all-clear is not there yet, where it is that: a second stall within minutes."""
    again = any(incident["reopened"] for incident in incidents)
    return ". It came back within minutes of its all-clear: the next one needs five calm minutes" if again else ""


def _tell(incident: dict[str, Any], since: datetime, opened: set[int], closed: set[int]) -> None:
    number = incident["incident_id"]
    if number not in opened:
        opened.add(number)
        after = (incident["opened_at"] - since).total_seconds()
        say(f"{incident['opened_at']:%H:%M:%S}  ALERT      {incident['summary']} (after {after:.1f} s)")
    if number not in closed and incident["closed_at"] is not None:
        closed.add(number)
        lasted = (incident["closed_at"] - incident["opened_at"]).total_seconds()
        say(f"{incident['closed_at']:%H:%M:%S}  ALL CLEAR  {incident['summary']} (open for {lasted:.1f} s)")
