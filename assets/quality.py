"""What operators do about red hours, the sensor that keeps incidents true to the verdicts, checks of other stores.

    accept_red_hour, recheck_hours    jobs with run configuration, as `flight hours accept` and `recheck` do it
    verdicts                          the sensor: incidents opened and closed, verdicts from elsewhere shown
    check_stores                      flights, and live against history, every ten minutes

What makes an hour red is the matter of `checks/`; how it is looked at by itself, of `hours.py`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from pydantic import Field

from assets.flights import KEY as FLIGHTS_KEY
from assets.hours import CHECKS, COMPLETE, KEY
from assets.partitions import HOUR, START, key_of
from assets.previews import accepted
from assets.resources import Platform
from assets.schedules import is_busy
from assets.streams import LIVE as LIVE_KEY
from checks import data_docs
from checks.expectations import Verdict
from checks.flights import judge_flights
from checks.hours import judge_hour, last_closed, publish_and_settle, settle
from checks.incidents import AGREES, PLAUSIBLE, settle_check
from checks.results import result
from checks.thresholds import thresholds
from flight_platform.errors import FlightError
from flight_platform.history.live_history import Agreement, agreement
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.progress import progress
from flight_platform.history.verdicts import accept_hour, take_unreported
from flight_platform.model import format_flight_id

_HOURS_AT_MOST: Final = 24 * 31


class AcceptedHour(dg.Config):
    """Which hour is accepted, by whom and why."""

    hour: str = Field(description="Start of the hour, UTC, as in 2026-01-31T22:00")
    by: str = Field(description="Who accepts it")
    reason: str = Field(description="Why it may stay as it is; recorded")


class Hours(dg.Config):
    """A stretch of hours."""

    from_hour: str = Field(description="First hour, UTC, as in 2026-01-31T22:00")
    to_hour: str = Field(description="Last hour, included")


@dg.op
def accept(context: dg.OpExecutionContext, config: AcceptedHour, platform: Platform) -> None:
    """Records the acceptance and closes the incident."""
    settings, hour = platform.settings(), _moment(config.hour)
    with platform.connect(settings) as connection:
        accept_hour(connection, hour, by=config.by, reason=config.reason)
        publish_and_settle(settings, connection, datetime.now(UTC))
    context.log.info("%s accepted by %s: %s", key_of(hour), config.by, config.reason)


@dg.op
def recheck(context: dg.OpExecutionContext, config: Hours, platform: Platform) -> None:
    """Judges each hour anew; the checks of `history/hours` get the results."""
    settings, now = platform.settings(), datetime.now(UTC)
    first, last = _moment(config.from_hour), _moment(config.to_hour)
    if not first <= last <= last_closed(now) or (last - first) / HOUR >= _HOURS_AT_MOST:
        raise FlightError(f"{key_of(first)} to {key_of(last)}: hours that are closed, and at most 31 days of them")
    with platform.connect(settings) as connection:
        read = progress(settings, connection)
        for n in range(round((last - first) / HOUR) + 1):
            judgement = judge_hour(settings, connection, first + n * HOUR, read)
            context.log.info("%s: %s", key_of(judgement.hour), "as expected" if judgement.passed else "red")
        publish_and_settle(settings, connection, now)


@dg.job(
    description="Accepts a red hour as it is, with a reason that is recorded: the incident closes, compaction goes on."
)
def accept_red_hour() -> None:
    """One op."""
    accept()


@dg.job(description="Judges hours anew, after they were mended or the thresholds changed.")
def recheck_hours() -> None:
    """One op."""
    recheck()


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Keeps one open incident for each red hour, whatever newer hours are, and one where hours stay raw for too "
        "long; shows verdicts that came from the command line or a job as results of the checks of `history/hours`."
    ),
)
def verdicts(platform: Platform) -> dg.SensorResult | dg.SkipReason:
    """One look at the verdicts; those that Dagster does not show yet become results."""
    settings, now = platform.settings(), datetime.now(UTC)
    with platform.connect(settings) as connection:
        _, changes = settle(settings, connection, now)
        events = [event for row in take_unreported(connection) if row["hour"] >= START for event in _shown(row)]
    if events:
        return dg.SensorResult(asset_events=events)
    is_open = [key for key in changes.open if key.startswith(("hour:", "compaction:"))]
    return dg.SkipReason(f"open: {', '.join(is_open)}" if is_open else "no hour is red, and none is raw for too long")


@dg.asset_check(
    asset=FLIGHTS_KEY,
    name="plausible",
    description=(
        "Flights that were derived in the last day: known, there once, not too long, landed after they took off, at a "
        "speed that an aircraft can fly. Thresholds: `checks/thresholds.toml`."
    ),
)
def flights_are_plausible(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
    """Great Expectations over ops.judged_flights."""
    settings = platform.settings()
    verdicts_found, html = judge_flights(settings.postgres_url.get_secret_value(), thresholds().flights)
    with platform.connect(settings) as connection:
        green_at = _green_at(context.instance, FLIGHTS_KEY, "plausible")
        settle_check(connection, settings, PLAUSIBLE, verdicts_found, datetime.now(UTC), green_at=green_at)
    passed = all(verdict.passed for verdict in verdicts_found)
    page = data_docs.publish(settings, "flights.html", "Flights derived in the last day", html, passed=passed)
    return result(verdicts_found, more={"Data Docs": dg.MetadataValue.url(page)})


@dg.asset_check(
    asset=LIVE_KEY,
    name="agrees",
    description="Live and history know the same flights of the last minute, each with its newest position.",
)
def live_agrees_with_history(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
    """Two looks at both; where one does not answer it cannot be told, which is no failure of this check."""
    settings, limits = platform.settings(), thresholds().live
    with platform.connect(settings) as connection:
        found = agreement(settings, connection, settled_s=limits.settled_s)
        told = _agreement(found, limits.share)
        green_at = _green_at(context.instance, LIVE_KEY, "agrees")
        settle_check(connection, settings, AGREES, [told], datetime.now(UTC), green_at=green_at)
    return result([told], more={"not live": len(found.not_live), "not in history": len(found.not_in_history)})


def _green_at(instance: dg.DagsterInstance, asset: dg.AssetKey, check: str) -> datetime | None:
    green = {AssetCheckExecutionRecordStatus.SUCCEEDED}
    runs = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(asset, check), 1, status=green)
    return datetime.fromtimestamp(runs[0].create_timestamp, UTC) if runs else None


def _agreement(found: Agreement, share: float) -> Verdict:
    different = [*found.not_live, *found.not_in_history]
    return Verdict(
        name="live and history agree",
        passed=found.share >= share,
        observed=f"{found.share:.2%} of {found.flights} flights of the last minute",
        unexpected=len(different),
        sample=tuple({"flight_id": format_flight_id(flight)} for flight in different[:5]),
        problem=found.problem,
    )


with accepted():
    check_stores: Final = dg.define_asset_job(
        "check_stores",
        selection=dg.AssetSelection.checks(flights_are_plausible, live_agrees_with_history),
        description="Checks flights, and live against history.",
    )


@dg.schedule(
    job=check_stores,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every ten minutes: flights, and live against history.",
)
def checks_of_stores(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run, unless the last one has not ended."""
    if is_busy(context.instance, check_stores.name):
        return dg.SkipReason("the last run has not ended")
    return dg.RunRequest()


def _shown(row: Mapping[str, Any]) -> Iterator[dg.AssetCheckEvaluation]:
    """A verdict from the database as results of the four checks: without the table, which only the judge has."""
    for spec in CHECKS:
        failures = [failure for failure in row["failures"] if failure.get("check") == spec.name]
        said = "; ".join(f"{failure['name']}: {failure['observed']}" for failure in failures)
        severity = dg.AssetCheckSeverity.ERROR
        if spec is COMPLETE and not failures and not row["complete"]:
            said, severity = "; ".join(row["missing"]), dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckEvaluation(
            asset_key=KEY,
            check_name=spec.name,
            partition=key_of(row["hour"]),
            passed=not said,
            severity=severity,
            description=said or "as expected",
            metadata={"presence": row["presence"], "rows": row["rows"]},
        )


def _moment(text: str) -> datetime:
    """The hour of a text in run configuration."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FlightError(f"{text!r} is no hour: it looks like 2026-01-31T22:00 (UTC)") from None
    return start_of_hour(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
